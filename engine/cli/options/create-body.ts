import type { ApiMount } from './mounts.ts';
import type { PortMap } from './ports.ts';

/** The body of POST /containers/create, as far as options can fill it. Docker Engine API, "ContainerCreate". */
export interface CreateBody {
  Image: string;
  Hostname?: string;
  Domainname?: string;
  User?: string;
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  Tty?: boolean;
  OpenStdin?: boolean;
  StdinOnce?: boolean;
  Env?: string[];
  Cmd?: string[];
  Entrypoint?: string[];
  WorkingDir?: string;
  Labels?: Record<string, string>;
  Volumes?: Record<string, Record<string, never>>;
  ExposedPorts?: Record<string, Record<string, never>>;
  StopSignal?: string;
  StopTimeout?: number;
  Healthcheck?: Record<string, unknown>;
  HostConfig: HostConfig;
  NetworkingConfig?: { EndpointsConfig: Record<string, Record<string, unknown>> };
}

/** Docker Engine API, "HostConfig". Sizes in bytes. */
export interface HostConfig {
  Binds?: string[];
  Mounts?: ApiMount[];
  Tmpfs?: Record<string, string>;
  VolumesFrom?: string[];
  PortBindings?: PortMap;
  PublishAllPorts?: boolean;
  Ulimits?: { Name: string; Soft: number; Hard: number }[];
  Devices?: { PathOnHost: string; PathInContainer: string; CgroupPermissions: string }[];
  RestartPolicy?: { Name: string; MaximumRetryCount: number };
  LogConfig?: { Type: string; Config: Record<string, string> };
  AutoRemove?: boolean;
  ContainerIDFile?: string;
  ConsoleSize?: [height: number, width: number];
  [field: string]: unknown;
}
