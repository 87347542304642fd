import { isList, isMap, NIL_LIST, NIL_MAP } from './values.ts';

/**
 * JSON's `null` says nothing about what it stands for, but docker prints an absent list as `[]`, an absent map as
 * `map[]` and an absent structure as `<nil>`. These are the API's nullable fields that are no lists.
 */
const MAPS = new Set(
  'Annotations Driver Labels Networks Options Ports Sysctls Tmpfs Volumes ExposedPorts PortBindings StorageOpt Storage DriverOpts'.split(
    ' ',
  ),
);
const STRUCTURES = new Set(
  'Health Healthcheck Init PidsLimit OomKillDisable MemorySwappiness IPAMConfig StopTimeout RootFS Descriptor Manifests SizeRw SizeRootFs Data'.split(
    ' ',
  ),
);

/** `value` with each null replaced by what it is in Go, as far as its field's name tells. */
export function withGoNils(value: unknown, field = ''): unknown {
  if (value === null) return STRUCTURES.has(field) ? null : MAPS.has(field) ? NIL_MAP : NIL_LIST;
  if (isList(value)) return value.map((each) => (each === null ? null : withGoNils(each)));
  if (isMap(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withGoNils(each, key)]));
  }
  return value;
}
