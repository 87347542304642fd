/**
 * The parts of the Docker Engine API's documents that this client reads, as its schemas. What they do not name passes
 * through. A daemon is free to leave out what the API does not call required.
 */

import * as z from 'zod/mini';

const text = z._default(z.string(), '');
const number = z._default(z.number(), 0);
const strings = z._default(z.nullable(z.array(z.string())), null);

export const CreatedSchema = z.looseObject({ Id: z.string(), Warnings: strings });

export const UpdatedSchema = z.looseObject({ Warnings: strings });

export const WaitSchema = z.looseObject({
  StatusCode: z.number(),
  Error: z.optional(z.nullable(z.looseObject({ Message: text }))),
});

export const ContainerSchema = z.looseObject({
  Id: z.string(),
  Name: text,
  State: z.looseObject({
    Running: z._default(z.boolean(), false),
    Paused: z._default(z.boolean(), false),
    Restarting: z._default(z.boolean(), false),
    ExitCode: number,
  }),
  Config: z.looseObject({
    Tty: z._default(z.boolean(), false),
    OpenStdin: z._default(z.boolean(), false),
  }),
});

const PortSchema = z.looseObject({
  IP: z.optional(z.string()),
  PrivatePort: z.number(),
  PublicPort: z.optional(z.number()),
  Type: text,
});

export const SummarySchema = z.looseObject({
  Id: z.string(),
  Names: strings,
  Image: text,
  ImageID: text,
  Command: text,
  Created: number,
  State: text,
  Status: text,
  Ports: z._default(z.nullable(z.array(PortSchema)), null),
  Labels: z._default(z.nullable(z.record(z.string(), z.string())), null),
  SizeRw: z.optional(z.number()),
  SizeRootFs: z.optional(z.number()),
  Mounts: z._default(
    z.nullable(z.array(z.looseObject({ Name: text, Source: text, Destination: text, Type: text, Driver: text }))),
    null,
  ),
  NetworkSettings: z.optional(
    z.nullable(z.looseObject({ Networks: z._default(z.nullable(z.record(z.string(), z.unknown())), null) })),
  ),
});
export const SummariesSchema = z.array(SummarySchema);

export const ImageSchema = z.looseObject({
  Id: z.string(),
  RepoTags: strings,
  RepoDigests: strings,
  Created: number,
  Size: number,
  /** −1 when the daemon did not count. */
  Containers: z._default(z.number(), -1),
  SharedSize: z._default(z.number(), -1),
});
export const ImagesSchema = z.array(ImageSchema);

export const TopSchema = z.looseObject({
  Titles: strings,
  Processes: z._default(z.nullable(z.array(z.array(z.string()))), null),
});

const CpuSchema = z.looseObject({
  cpu_usage: z.looseObject({ total_usage: number }),
  system_cpu_usage: z.optional(z.number()),
  online_cpus: z.optional(z.number()),
});

export const StatsSchema = z.looseObject({
  id: text,
  name: text,
  cpu_stats: CpuSchema,
  precpu_stats: z._default(z.nullable(CpuSchema), null),
  memory_stats: z.looseObject({
    usage: z.optional(z.number()),
    limit: z.optional(z.number()),
    stats: z.optional(z.nullable(z.record(z.string(), z.number()))),
  }),
  pids_stats: z.optional(z.nullable(z.looseObject({ current: number }))),
  blkio_stats: z.optional(
    z.nullable(
      z.looseObject({
        io_service_bytes_recursive: z._default(z.nullable(z.array(z.looseObject({ op: text, value: number }))), null),
      }),
    ),
  ),
  networks: z.optional(z.nullable(z.record(z.string(), z.looseObject({ rx_bytes: number, tx_bytes: number })))),
});

export const PrunedSchema = z.looseObject({ ContainersDeleted: strings, SpaceReclaimed: number });

export const DeletedSchema = z.array(
  z.looseObject({ Untagged: z.optional(z.string()), Deleted: z.optional(z.string()) }),
);

export const ImagesPrunedSchema = z.looseObject({
  ImagesDeleted: z._default(z.nullable(DeletedSchema), null),
  SpaceReclaimed: number,
});

export const VolumesPrunedSchema = z.looseObject({ VolumesDeleted: strings, SpaceReclaimed: number });

export const VolumeSchema = z.looseObject({
  Name: z.string(),
  Driver: text,
  Mountpoint: text,
  Scope: text,
  Labels: z._default(z.nullable(z.record(z.string(), z.string())), null),
  UsageData: z.optional(z.nullable(z.looseObject({ Size: number, RefCount: number }))),
});
export const VolumesSchema = z.looseObject({ Volumes: z._default(z.nullable(z.array(VolumeSchema)), null) });

export const NetworkCreatedSchema = z.looseObject({ Id: z.string(), Warning: text });

export const NetworksSchema = z.array(
  z.looseObject({
    Name: z.string(),
    Id: z.string(),
    Created: text,
    Driver: text,
    Scope: text,
    EnableIPv4: z._default(z.boolean(), true),
    EnableIPv6: z._default(z.boolean(), false),
    Internal: z._default(z.boolean(), false),
    Labels: z._default(z.nullable(z.record(z.string(), z.string())), null),
  }),
);

export const NetworksPrunedSchema = z.looseObject({ NetworksDeleted: strings });

export const HistorySchema = z.array(
  z.looseObject({ Id: z.string(), Created: number, CreatedBy: text, Size: number, Comment: text }),
);

export const DiskUsageSchema = z.looseObject({
  LayersSize: number,
  Images: z._default(z.nullable(ImagesSchema), null),
  Containers: z._default(z.nullable(SummariesSchema), null),
  Volumes: z._default(z.nullable(z.array(VolumeSchema)), null),
  BuildCache: z._default(z.nullable(z.array(z.looseObject({ InUse: z.boolean(), Size: number }))), null),
});

export const VersionSchema = z.looseObject({
  Version: text,
  ApiVersion: text,
  MinAPIVersion: text,
  GitCommit: text,
  GoVersion: text,
  Os: text,
  Arch: text,
  KernelVersion: text,
  BuildTime: text,
  Platform: z.optional(z.nullable(z.looseObject({ Name: text }))),
  Components: z.optional(
    z.nullable(
      z.array(
        z.looseObject({
          Name: text,
          Version: text,
          Details: z._default(z.nullable(z.record(z.string(), z.string())), null),
        }),
      ),
    ),
  ),
});

/** Anything that is an object. */
export const ObjectSchema = z.record(z.string(), z.unknown());

export const EventSchema = z.looseObject({
  Type: text,
  Action: text,
  Actor: z.looseObject({ ID: text, Attributes: z._default(z.nullable(z.record(z.string(), z.string())), null) }),
  time: number,
  timeNano: z.union([z.number(), z.bigint()]),
});

export const ProgressSchema = z.looseObject({
  id: z.optional(z.string()),
  status: z.optional(z.string()),
  progress: z.optional(z.string()),
  progressDetail: z.optional(z.looseObject({ current: z.optional(z.number()), total: z.optional(z.number()) })),
  aux: z.optional(z.unknown()),
  stream: z.optional(z.string()),
  error: z.optional(z.string()),
});

export type StatsDocument = z.infer<typeof StatsSchema>;
export type DiskUsage = z.infer<typeof DiskUsageSchema>;
export type ContainerSummary = z.infer<typeof SummarySchema>;
export type ImageSummary = z.infer<typeof ImageSchema>;
export type VersionDocument = z.infer<typeof VersionSchema>;
export type EventDocument = z.infer<typeof EventSchema>;
