/** The whole course, also the labs that are still to be written, so that the map shows where the way leads. */

import type { Lane } from '../lab.ts';

export interface PlannedLab {
  number: number;
  id: string;
  title: string;
  part: number;
  lane: Lane;
}

export const parts = ['Orientation', 'Isolation', 'Image layers', 'Registry', 'Engine'] as const;

/** Ids are stable: progress files and planks are named by them. The number is only the order. */
export const plannedLabs: readonly PlannedLab[] = [
  lab(0, 'what-is-a-container', 0, 'pure', 'What is a container?'),
  lab(1, 'process', 1, 'rootless', 'Fork, exec, wait'),
  lab(2, 'namespaces', 1, 'rootless', 'Namespaces'),
  lab(3, 'rootfs', 1, 'rootless', 'A root of its own'),
  lab(4, 'cgroups', 1, 'kernel', 'Limits by control groups'),
  lab(5, 'privileges', 1, 'rootless', 'Capabilities and seccomp'),
  lab(6, 'exec', 1, 'rootless', 'Joining a running container'),
  lab(7, 'store', 2, 'pure', 'A content-addressed store'),
  lab(8, 'layer', 2, 'pure', 'Layers: tar apply and diff'),
  lab(9, 'overlay', 2, 'rootless', 'Copy-on-write snapshots'),
  lab(10, 'build', 2, 'pure', 'Building from a Dockerfile'),
  lab(11, 'pull', 3, 'pure', 'Pulling from a registry'),
  lab(12, 'push', 3, 'pure', 'Pushing to a registry'),
  lab(13, 'registry', 3, 'pure', 'A registry of your own'),
  lab(14, 'lifecycle', 4, 'kernel', 'The state machine of a container'),
  lab(15, 'network', 4, 'kernel', 'Bridge, addresses, published ports'),
  lab(16, 'api', 4, 'kernel', 'The Docker Engine API'),
  lab(17, 'cli', 4, 'kernel', 'The command line'),
  lab(18, 'capstone', 4, 'kernel', 'Every plank is yours'),
];

function lab(number: number, id: string, part: number, lane: Lane, title: string): PlannedLab {
  return { number, id, title, part, lane };
}
