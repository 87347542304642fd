import { isList, isMap, NIL_LIST, NIL_MAP } from './values.ts';

/**
 * JSON's `null` says nothing about what it stands for, but docker prints an absent list as `[]`, an absent map as
 * `map[]` and an absent structure as `<nil>`. These are the API's nullable fields that are not lists.
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

const OMITTED: Record<string, string[]> = {
  State: ['Health'],
  Config: ['Healthcheck', 'StopTimeout', 'StopSignal'],
  HostConfig: ['Init'],
};

/** `value` with each null replaced by what it is in Go, as far as its field's name tells. */
export function withGoNils(value: unknown, field = ''): unknown {
  if (value === null) return STRUCTURES.has(field) ? null : MAPS.has(field) ? NIL_MAP : NIL_LIST;
  if (isList(value)) return value.map((each) => (each === null ? null : withGoNils(each)));
  if (isMap(value)) {
    const map = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withGoNils(each, key)]));
    // Fields that the API leaves out when there is nothing to say; templates may ask for them, `json` omits them.
    for (const absent of OMITTED[field] ?? []) {
      if (!Object.hasOwn(map, absent)) Object.defineProperty(map, absent, { value: null, enumerable: false });
    }
    return map;
  }
  return value;
}
