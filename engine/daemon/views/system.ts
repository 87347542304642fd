import fs from 'node:fs';
import os from 'node:os';
import { inUserNamespace } from '#kernel/user-namespace';
import type { Engine } from '../../container/engine.ts';
import { DEFAULT_LOG_DRIVER, DEFAULT_LOG_OPTIONS, LOG_DRIVERS } from '../../container/log-options.ts';
import { canLimitSize } from '../../container/size-limit.ts';
import { now } from '../../container/time.ts';
import { DEFAULT_DOMAIN } from '../../image/reference.ts';
import type { RegistryOptions } from '../../registry/client/endpoints.ts';
import { cgroupVersion, mountedHierarchies } from '../../runtime/cgroups/detect.ts';
import { whyNoCgroups } from '../../runtime/cgroups/host.ts';
import { API_VERSION, ENGINE_VERSION, MIN_API_VERSION } from '../version.ts';
import { warnings } from './warnings.ts';

/** Go's names, which clients compare images by. */
const GO_ARCHITECTURE: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };
const MACHINE: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' };

/** Docker's SystemVersion. */
export function versionView() {
  const arch = GO_ARCHITECTURE[process.arch] ?? process.arch;
  return {
    Platform: { Name: 'Skiff' },
    Components: [
      {
        Name: 'Engine',
        Version: ENGINE_VERSION,
        Details: {
          ApiVersion: API_VERSION,
          Arch: arch,
          BuildTime: '',
          Experimental: 'false',
          GitCommit: '',
          GoVersion: '',
          KernelVersion: os.release(),
          MinAPIVersion: MIN_API_VERSION,
          NodeVersion: process.version,
          Os: 'linux',
        },
      },
    ],
    Version: ENGINE_VERSION,
    ApiVersion: API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: arch,
    KernelVersion: os.release(),
    BuildTime: '',
  };
}

/** Docker's SystemInfo. */
export async function infoView(engine: Engine) {
  const containers = engine.containers.all();
  const running = containers.filter((container) => container.running).length;
  const paused = containers.filter((container) => container.paused).length;
  const cgroups = whyNoCgroups() === null ? cgroupVersion(mountedHierarchies()) : null;
  return {
    ID: engine.root.key,
    Containers: containers.length,
    ContainersRunning: running - paused,
    ContainersPaused: paused,
    ContainersStopped: containers.length - running,
    Images: (await engine.images.list()).length,
    Driver: 'overlay2',
    DriverStatus: [
      ['Supports size limits', String(canLimitSize(engine.root))],
      ['Default log options', logOptions()],
    ],
    DockerRootDir: engine.root.dir,
    Plugins: { Volume: ['local'], Network: ['bridge', 'host', 'null'], Authorization: [], Log: LOG_DRIVERS },
    MemoryLimit: cgroups !== null,
    SwapLimit: cgroups !== null,
    CpuCfsPeriod: cgroups !== null,
    CpuCfsQuota: cgroups !== null,
    CPUShares: cgroups !== null,
    CPUSet: cgroups !== null,
    PidsLimit: cgroups !== null,
    OomKillDisable: false,
    IPv4Forwarding: readText('/proc/sys/net/ipv4/ip_forward').trim() === '1',
    Debug: false,
    NFd: fs.readdirSync('/proc/self/fd').length,
    NGoroutines: 1,
    SystemTime: now(),
    LoggingDriver: DEFAULT_LOG_DRIVER,
    CgroupDriver: cgroups === null ? 'none' : 'cgroupfs',
    CgroupVersion: String(cgroups ?? 1),
    NEventsListener: engine.events.listenerCount,
    KernelVersion: os.release(),
    OperatingSystem: /^PRETTY_NAME="?([^"\n]*)/m.exec(readText('/etc/os-release'))?.[1] ?? 'Linux',
    OSVersion: /^VERSION_ID="?([^"\n]*)/m.exec(readText('/etc/os-release'))?.[1] ?? '',
    OSType: 'linux',
    Architecture: MACHINE[process.arch] ?? process.arch,
    NCPU: os.availableParallelism(),
    MemTotal: os.totalmem(),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: registryConfig(engine.registries.options),
    GenericResources: [],
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: os.hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: ENGINE_VERSION,
    Runtimes: { skiff: { path: 'skiff' } },
    DefaultRuntime: 'skiff',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    // Containers go on running while the daemon does not.
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: [
      'name=seccomp,profile=builtin',
      ...(inUserNamespace() ? ['name=rootless'] : []),
      ...(engine.remap ? ['name=userns'] : []),
    ],
    Warnings: warnings(engine),
  };
}

/** Docker's SystemInfo has no field for them; clients print these lines as they are. */
function logOptions(): string {
  return Object.entries(DEFAULT_LOG_OPTIONS)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Loopback may be without TLS, whatever was said. */
function registryConfig({ mirrors = [], insecure = [] }: RegistryOptions) {
  const entry = (Name: string, Secure: boolean, Official: boolean) => ({
    Name,
    Mirrors: Official ? mirrors : [],
    Secure,
    Official,
  });
  return {
    AllowNondistributableArtifactsCIDRs: null,
    AllowNondistributableArtifactsHostnames: null,
    InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8', ...insecure.filter((each) => each.includes('/'))],
    IndexConfigs: Object.fromEntries([
      [DEFAULT_DOMAIN, entry(DEFAULT_DOMAIN, true, true)],
      ...insecure.filter((each) => !each.includes('/')).map((host) => [host, entry(host, false, false)]),
    ]),
    Mirrors: mirrors,
  };
}
