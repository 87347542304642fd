import { capabilityNames } from '#kernel/capability-names';
import { mountOptionNames } from '../../mount-options.ts';
import { actions } from '../../seccomp/actions.ts';
import { architectureNames } from '../../seccomp/architectures.ts';
import { operators } from '../../seccomp/operators.ts';
import { argumentsOf, parseLine } from '../command-line.ts';
import type { Command } from '../settings.ts';
import { OCI_VERSION } from '../state.ts';

const seccompFlags = ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_LOG'];

/** features.md, features-linux.md. */
export const command: Command = (words) => {
  argumentsOf(parseLine({}, words), 'features', 0);
  const features = {
    ociVersionMin: '1.0.0',
    ociVersionMax: OCI_VERSION,
    hooks: ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
    mountOptions: mountOptionNames,
    linux: {
      namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'user', 'uts'],
      capabilities: capabilityNames,
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: false },
      seccomp: {
        enabled: true,
        actions,
        operators,
        archs: architectureNames,
        knownFlags: seccompFlags,
        supportedFlags: seccompFlags,
      },
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: false } },
      netDevices: { enabled: false },
    },
  };
  process.stdout.write(`${JSON.stringify(features, null, 2)}\n`);
  return 0;
};
