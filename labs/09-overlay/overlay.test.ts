import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Change, LayerEntry, OverlayStack } from '../../engine/runtime/contract/overlay.ts';
import { overlayData as referenceData } from '../../engine/runtime/overlay.ts';
import { changesOf as referenceChanges } from '../../engine/runtime/overlay-changes.ts';
import { idMap, mountinfo, nonce, openDescriptors } from '../../grader/harness/evidence.ts';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from '../../grader/harness/files.ts';
import { inside } from '../../grader/harness/inside.ts';
import { draw } from '../../grader/harness/random.ts';
import { openSubject, type Subject, unsupported } from '../../grader/harness/suite.ts';
import type { Step } from './overlay.driver.ts';
import {
  blockDevice,
  device,
  directory,
  type Entries,
  file,
  layerOf,
  opaque,
  redirected,
  symlink,
  whiteout,
} from './testing/entries.ts';
import { randomStack } from './testing/random-stack.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

/** A new directory in the sandbox, with trees in it that the subject's own user has made. */
async function place(trees: Record<string, Step[]>) {
  const dir = `${subject.scratch}/${nonce()}`;
  await subject.call('makeTrees', dir, trees);
  return {
    path: (name: string) => `${dir}/${name}`,
    /** As the judge sees what lies below the mount. */
    outside: (name: string) => join(subject.outsidePath(dir), name),
  };
}

const own: Record<string, Step[]> = { upper: [], work: [], root: [] };
const write = (path: string, text = path): Step => ({ write: path, text });

/** What is mounted on `target` in the subject's namespace. */
const mounted = (target: string) => mountinfo(subject.pid).filter(({ mountPoint }) => mountPoint === target);

/** Overlayfs in a user namespace needs Linux 5.11, and `user.*` attributes where the layers are. */
async function mountStack(call: 'mountByData' | 'mountOverlay', target: string, stack: OverlayStack): Promise<void> {
  await subject.call(call, target, stack, true);
  expect(mounted(target), `nothing is mounted on ${target}`).toHaveLength(1);
}

/** The words between commas that have no backslash before them. */
const words = (data: unknown) => String(data).match(/(?:\\.|[^,\\])+/gs) ?? [];

describe('the words for mount(2)', () => {
  const drawnPaths = () => {
    const [top, middle, bottom, upper, work] = Array.from(
      { length: 5 },
      (_, at) => `/${draw.word()}/${draw.word()}${at}`,
    );
    return { lower: [top!, middle!, bottom!], upper: upper!, work: work! };
  };

  test('task 1: the data names the stack and the options in a user namespace', async () => {
    const { lower, upper, work } = drawnPaths();
    const data = await subject.call('overlayData', { lower, upper, work }, true);
    const layers = `lowerdir=${lower.join(':')}`;
    expect(words(data).sort()).toEqual(
      [layers, `upperdir=${upper}`, `workdir=${work}`, 'index=off', 'userxattr'].sort(),
    );
    expect(words(await subject.call('overlayData', { lower }, true)).sort(), 'without an upper').toEqual(
      [layers, 'index=off', 'userxattr'].sort(),
    );
  });

  test('task 1: with privileges redirect_dir, metacopy and index are off', async () => {
    const data = await subject.call('overlayData', drawnPaths(), false);
    expect(words(data)).toEqual(expect.arrayContaining(['index=off', 'redirect_dir=off', 'metacopy=off']));
    expect(words(data)).not.toContain('userxattr');
  });

  test('task 1: a file of the topmost layer hides those of the layers below', async () => {
    const at = await place({
      top: [write('both', 'top'), write('only-top')],
      bottom: [write('both', 'bottom'), write('only-bottom')],
      ...own,
    });
    const stack = { lower: [at.path('top'), at.path('bottom')], upper: at.path('upper'), work: at.path('work') };
    await mountStack('mountByData', at.path('root'), stack);
    const tree = inside(subject.pid);
    expect(tree.list(at.path('root')).sort()).toEqual(['both', 'only-bottom', 'only-top']);
    expect(tree.read(`${at.path('root')}/both`)).toBe('top');
    expect(mounted(at.path('root'))[0]?.type).toBe('overlay');
  });

  test('task 1: a comma, a colon and a backslash belong to the path', async () => {
    const names = draw.some([`${draw.word()},b`, `${draw.word()}:d`, `e\\${draw.word()}`, `${draw.word()}\\:h,`]);
    const at = await place({
      ...Object.fromEntries(names.map((name, index) => [name, [write(`file-${index}`)]])),
      'up,per': [],
      'wo:rk': [],
      root: [],
    });
    const stack = { lower: names.map(at.path), upper: at.path('up,per'), work: at.path('wo:rk') };
    await mountStack('mountByData', at.path('root'), stack);
    expect(inside(subject.pid).list(at.path('root')).sort()).toEqual(['file-0', 'file-1', 'file-2', 'file-3']);
    // The kernel takes the mark away from any character; only these three need it.
    const lower = names.map((name) => `/${name}`);
    const data = await subject.call('overlayData', { lower }, true);
    expect(words(data)).toContain(`lowerdir=${lower.map((path) => path.replace(/[\\:,]/g, '\\$&')).join(':')}`);
  });
});

describe('the mount', () => {
  test('task 2: writes go to the upper, and the layer does not change', async () => {
    const at = await place({ image: [write('kept', 'as the image has it'), write('doomed')], ...own });
    const before = statSync(at.outside('image/kept'), { bigint: true });
    const stack = { lower: [at.path('image')], upper: at.path('upper'), work: at.path('work') };
    await mountStack('mountOverlay', at.path('root'), stack);
    expect(readdirSync(at.outside('upper')), 'mounting copies nothing').toEqual([]);
    await subject.call('work', at.path('root'), [{ append: 'kept', text: ', and more' }, { remove: 'doomed' }]);
    const after = statSync(at.outside('image/kept'), { bigint: true });
    expect([after.ino, after.size, after.mtimeNs]).toEqual([before.ino, before.size, before.mtimeNs]);
    expect(readFileSync(at.outside('upper/kept'), 'utf8')).toBe('as the image has it, and more');
    const gone = lstatSync(at.outside('upper/doomed'));
    expect([gone.isCharacterDevice(), gone.rdev], 'a deleted name is the character device 0:0').toEqual([true, 0]);
    expect(existsSync(at.outside('image/doomed'))).toBe(true);
  });

  test('task 2: a single layer without an upper is mounted read-only', async () => {
    const at = await place({ image: [write('file', 'of the image')], root: [] });
    await mountStack('mountOverlay', at.path('root'), { lower: [at.path('image')] });
    const tree = inside(subject.pid);
    expect(tree.read(`${at.path('root')}/file`)).toBe('of the image');
    const beneath = await place({ image: [write('file'), { mkdir: 'sub' }], root: [] });
    await subject.call('mountTmpfs', `${beneath.path('image')}/sub`, 'in-another-mount');
    await mountStack('mountOverlay', beneath.path('root'), { lower: [beneath.path('image')] });
    expect(tree.list(`${beneath.path('root')}/sub`), 'what is mounted below a layer, seen in the stack').toEqual([]);
    expect(() => tree.write(`${at.path('root')}/new`, 'x')).toThrow(/EROFS/);
    expect(readdirSync(at.outside('image'))).toEqual(['file']);
  });

  /** `count` layers of which each has a file of its own and one that all have. @returns the names, topmost first. */
  const trees = (names: string[]) =>
    Object.fromEntries(names.map((name, index) => [name, [write(`of-${index}`), write('all', `${index}`)]]));

  test('task 2: five hundred layers are mounted, though their names do not fit in a page', async () => {
    const count = draw.int(480, 500);
    const layers = Array.from({ length: count }, (_, index) => `${index}-${draw.word(20)}`);
    const at = await place({ ...trees(layers), ...own });
    const stack = { lower: layers.map(at.path), upper: at.path('upper'), work: at.path('work') };
    await mountStack('mountOverlay', at.path('root'), stack);
    const tree = inside(subject.pid);
    expect(tree.list(at.path('root')).length, 'the files of all layers').toBe(count + 1);
    expect(tree.read(`${at.path('root')}/all`), 'the topmost layer').toBe('0');
    expect(readlinkSync(`/proc/${subject.pid}/cwd`), 'the working directory of the process that mounted it').toBe('/');
    const second = await place({ root: [] });
    await mountStack('mountOverlay', second.path('root'), { lower: stack.lower });
    expect(tree.list(second.path('root')).length, 'the same without an upper').toBe(count + 1);
  });

  test('task 2: a page holds 4,095 bytes and a NUL', async () => {
    for (const bytes of [4095, 4096]) {
      const names = Array.from({ length: draw.int(20, 25) }, (_, index) => `${index}-${draw.word(20)}é`);
      const at = await place({ ...trees([...names, 'last']), ...own });
      const mountWith = (last: string) => ({
        lower: [...names, last].map(at.path),
        upper: at.path('upper'),
        work: at.path('work'),
      });
      const missing = bytes - Buffer.byteLength(referenceData(mountWith(''), true));
      // A path in which the same directory is entered and left again has any length.
      const padding = `${'./'.repeat(Math.floor((missing - 'last'.length) / 2))}${(missing - 'last'.length) % 2 === 1 ? '/' : ''}`;
      const stack = mountWith(`${padding}last`);
      expect(Buffer.byteLength(referenceData(stack, true)), "the judge's own count").toBe(bytes);
      await mountStack('mountOverlay', at.path('root'), stack);
      expect(inside(subject.pid).list(at.path('root')).length, `files of a stack of ${bytes} bytes`).toBe(
        names.length + 2,
      );
    }
  });

  test('task 2: no descriptor stays open, also after a mount that failed', async () => {
    const layers = Array.from({ length: 60 }, (_, index) => `${'a-layer-with-a-long-name-'.repeat(3)}${index}`);
    const at = await place({ ...Object.fromEntries(layers.map((name) => [name, [write(name)]])), ...own });
    const lower = layers.map(at.path);
    await mountStack('mountOverlay', at.path('root'), { lower, upper: at.path('upper'), work: at.path('work') });
    const before = Object.keys(openDescriptors(subject.pid)).length;
    const second = await place(own);
    const rest = { upper: second.path('upper'), work: second.path('work') };
    await mountStack('mountOverlay', second.path('root'), { lower, ...rest });
    const third = await place(own);
    const failed = [...lower, third.path('no-such-layer')];
    const stack = { lower: failed, upper: third.path('upper'), work: third.path('work') };
    await expect(subject.call('mountOverlay', third.path('root'), stack, true)).rejects.toThrow(/ENOENT/);
    expect(mounted(third.path('root'))).toEqual([]);
    const nowhere = third.path('no-such-target');
    const whole = { ...stack, lower };
    await expect(subject.call('mountOverlay', nowhere, whole, true)).rejects.toThrow(/ENOENT/);
    expect(readlinkSync(`/proc/${subject.pid}/cwd`), 'the working directory after a mount that failed').toBe('/');
    expect(Object.keys(openDescriptors(subject.pid)).length, 'descriptors open in the engine').toBe(before);
    const again = await place({ image: [write('file')], root: [] });
    await mountStack('mountOverlay', again.path('root'), { lower: [again.path('image')] });
  });
});

describe('a container’s own directories', () => {
  const rights = (path: string) => (statSync(path).mode & 0o7777).toString(8);

  test('task 3: the upper has the mode of the layer’s root, whatever the umask', async () => {
    const mode = draw.pick([0o1751, 0o1777, 0o2755, 0o705]);
    const at = await place({ like: [{ chmod: '', mode }] });
    const root = { upper: at.path('upper'), work: at.path('work') };
    await subject.call('makeWithUmask', 0o077, root, at.path('like'));
    expect(rights(at.outside('upper'))).toBe(mode.toString(8));
    const open = await place({ like: [{ chmod: '', mode: 0o777 }] });
    await subject.call('makeWithUmask', 0o022, { upper: open.path('u'), work: open.path('w') }, open.path('like'));
    expect(rights(open.outside('u'))).toBe('777');
  });

  test('task 3: the work directory has mode 700', async () => {
    const at = await place({ like: [] });
    await subject.call('makeWithUmask', 0, { upper: at.path('upper'), work: at.path('work') }, at.path('like'));
    expect(rights(at.outside('work'))).toBe('700');
  });

  test('task 3: directories of an earlier start are left as they are', async () => {
    const at = await place({ like: [], upper: [write('kept'), { chmod: '', mode: 0o700 }], work: [] });
    await subject.call('makeWithUmask', 0, { upper: at.path('upper'), work: at.path('work') }, at.path('like'));
    expect(readFileSync(at.outside('upper/kept'), 'utf8')).toBe('kept');
    expect(rights(at.outside('upper'))).toBe('700');
    const half = await place({ like: [{ chmod: '', mode: 0o755 }], upper: [{ chmod: '', mode: 0o711 }] });
    await subject.call('makeWithUmask', 0, { upper: half.path('upper'), work: half.path('work') }, half.path('like'));
    expect([rights(half.outside('upper')), rights(half.outside('work'))], 'where only work was missing').toEqual([
      '711',
      '700',
    ]);
  });

  test('task 3: both belong to the layer’s owner, or to root of the container’s user namespace', async () => {
    const ids = idMap(subject.pid, 'uid').reduce((sum, { size }) => sum + size, 0);
    if (ids < 2000) throw unsupported('The sandbox has only one user id here, so no owner can be given.');
    const [ids7, ids9] = draw.some([5, 7, 9, 300, 1001]) as [number, number];
    const ownerOf = (path: string) => {
      const { uid, gid } = inside(subject.pid).lstat(path);
      return [uid, gid].map((id) => Number(id) - Number(inside(subject.pid).lstat(subject.scratch).uid));
    };
    const at = await place({ like: [{ chown: '', uid: ids7, gid: ids9 }] });
    const root = { upper: at.path('upper'), work: at.path('work') };
    await subject.call('makeWithUmask', 0, root, at.path('like'));
    expect(ownerOf(at.path('upper'))).toEqual([ids7, ids9]);
    await subject.call('makeWithUmask', 0, root, at.path('like'), { uid: 1000, gid: 1001 });
    expect([ownerOf(at.path('upper')), ownerOf(at.path('work'))]).toEqual([
      [1000, 1001],
      [1000, 1001],
    ]);
  });
});

describe('the changes', () => {
  const changes = async (upper: Entries, ...lowers: Entries[]) =>
    (
      (await subject.call(
        'changesOfEntries',
        { '': directory(), ...upper },
        lowers.map((lower) => ({ '': directory(), ...lower })),
      )) as Change[]
    ).map(({ kind, path }) => `${kind} ${path}`);

  test('task 4: added, changed and deleted paths are reported', async () => {
    const image = {
      same: file(),
      bytes: file({ size: 3 }),
      time: file({ mtime: 5n }),
      mode: file(),
      owner: file(),
      group: file(),
      setuid: file({ mode: 0o755 }),
      kind: file(),
      gone: file(),
    };
    const upper = {
      bytes: file({ size: 4 }),
      time: file({ mtime: 6n }),
      mode: file({ mode: 0o755 }),
      owner: file({ uid: draw.int(1, 9999) }),
      group: file({ gid: draw.int(1, 9999) }),
      setuid: file({ mode: draw.pick([0o4755, 0o2755, 0o1755]) }),
      kind: symlink(),
      gone: whiteout(),
      new: file(),
    };
    expect(await changes(upper, image)).toEqual([
      'changed /bytes',
      'deleted /gone',
      'changed /group',
      'changed /kind',
      'changed /mode',
      'added /new',
      'changed /owner',
      'changed /setuid',
      'changed /time',
    ]);
  });

  test('task 4: a change of device numbers or of a file capability is reported', async () => {
    const capability = { 'security.capability': '\x01\0\0\x02' };
    const image = {
      node: device(1, 3),
      tool: file({ attributes: capability }),
      both: file({ attributes: capability }),
      other: file({ attributes: capability }),
      zero: device(0, 7),
      block: blockDevice(0, 0),
    };
    const upper = {
      node: device(1, 5),
      tool: file(),
      both: file({ attributes: { ...capability } }),
      other: file({ attributes: { 'security.capability': `\x01\0\0\x02${draw.word()}` } }),
      // Only the character device 0:0 is a whiteout.
      zero: device(0, 8),
      block: blockDevice(0, 0),
      'new-zero': device(0, draw.int(1, 200)),
      'new-block': blockDevice(0, 0),
    };
    expect(await changes(upper, image)).toEqual([
      'added /new-block',
      'added /new-zero',
      'changed /node',
      'changed /other',
      'changed /tool',
      'changed /zero',
    ]);
  });

  test('task 4: a file that was only copied up is not reported', async () => {
    const image = { etc: directory({ mtime: 1n, size: 40 }), 'etc/hosts': file() };
    expect(await changes({ etc: directory({ mtime: 2n, size: 60 }), 'etc/hosts': file() }, image)).toEqual([]);
    expect(await changes({ gone: whiteout() }, image), 'a whiteout of nothing').toEqual([]);
    const written = { etc: directory(), 'etc/hosts': file({ size: draw.int(1, 99) }) };
    expect(await changes(written, image), 'with other content').toEqual(['changed /etc', 'changed /etc/hosts']);
  });

  test('task 4: a directory is changed if something below it is, and the root is not listed', async () => {
    const image = { a: directory(), 'a/b': directory(), 'a/b/c': file(), d: directory() };
    const upper = {
      a: directory(),
      'a/b': directory(),
      'a/b/new': file(),
      d: directory({ mode: 0o700 }),
      '': directory({ mode: 0o700 }),
    };
    expect(await changes(upper, image)).toEqual(['changed /a', 'changed /a/b', 'added /a/b/new', 'changed /d']);
  });

  test('task 4: paths below a deleted directory are not listed', async () => {
    const image = { a: directory(), 'a/b': directory(), 'a/b/c': file(), e: directory(), 'e/f': file() };
    expect(await changes({ a: directory(), 'a/b': whiteout(), e: file() }, image)).toEqual([
      'changed /a',
      'deleted /a/b',
      'changed /e',
    ]);
  });

  test('task 4: the old names of a recreated directory are deleted', async () => {
    const image = { a: directory(), 'a/kept': file(), 'a/gone': file(), 'a/b': directory(), 'a/b/c': file() };
    expect(await changes({ a: opaque(), 'a/kept': file(), 'a/b': directory() }, image)).toEqual([
      'changed /a',
      'changed /a/b',
      'deleted /a/b/c',
      'deleted /a/gone',
    ]);
    const trusted = directory({ attributes: { 'trusted.overlay.opaque': 'y' } });
    expect(await changes({ a: trusted }, { a: directory(), 'a/x': file() })).toEqual(['changed /a', 'deleted /a/x']);
  });

  test('task 4: a path that one layer hides from another did not exist before', async () => {
    const bottom = { hidden: file(), a: directory(), 'a/old': file(), d: directory(), 'd/deep': file(), seen: file() };
    const top = { hidden: whiteout(), a: opaque(), d: file() };
    expect(await changes({ hidden: file(), a: directory(), 'a/old': file(), seen: whiteout() }, top, bottom)).toEqual([
      'changed /a',
      'added /a/old',
      'added /hidden',
      'deleted /seen',
    ]);
    const anew = { d: opaque() };
    expect(await changes(anew, top, bottom), 'd was a file, whatever is below it').toEqual(['changed /d']);
  });

  test('task 4: paths are sorted by their bytes', async () => {
    const names = ['Z', 'a', 'a.b', 'a-b', 'é', 'z', '\u{10000}', '\uffee'];
    const upper = { ...Object.fromEntries(names.map((name) => [name, file()])), a: directory(), 'a/x': file() };
    const sorted = [...names, 'a/x'].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    expect(await changes(upper, {})).toEqual(sorted.map((name) => `added /${name}`));
  });

  test('task 4: a directory with a redirect is refused by its name', async () => {
    const name = `${draw.word()} moved here`;
    const image = { old: directory(), 'old/file': file() };
    for (const prefix of ['user', 'trusted'] as const)
      await expect(
        changes({ [name]: redirected('/old', prefix) }, image),
        `${prefix}.overlay.redirect`,
      ).rejects.toThrow(name);
    expect(await changes({ [name]: directory() }, image), 'without the attribute').toEqual([`added /${name}`]);
  });

  test('task 4: the changes of random stacks are right', async () => {
    const stacks = Array.from({ length: 60 }, () => randomStack(3) as [Entries, ...Entries[]]);
    const said = (await subject.call('changesOfAll', stacks)) as Change[][];
    for (const [round, [upper, ...lowers]] of stacks.entries())
      expect(said[round], `of ${describeLayers([upper, ...lowers])}`).toEqual(
        referenceChanges(layerOf(upper), lowers.map(layerOf)),
      );
  });

  test('task 4: the changes that a program made on a real overlay are reported', async () => {
    const at = await place({
      bottom: [
        write('old'),
        { mkdir: 'tree' },
        write('tree/leaf'),
        write('tree/twig'),
        { mkdir: 'bin' },
        write('bin/sh'),
      ],
      top: [write('motd', 'hello'), write('rights')],
      ...own,
    });
    const lower = [at.path('top'), at.path('bottom')];
    await mountStack('mountOverlay', at.path('root'), { lower, upper: at.path('upper'), work: at.path('work') });
    await subject.call('work', at.path('root'), [
      { append: 'motd', text: '!' },
      { chmod: 'rights', mode: 0o600 },
      { remove: 'old' },
      { remove: 'tree' },
      { mkdir: 'tree' },
      { write: 'tree/new', text: '' },
      { rename: 'bin/sh', to: 'bin/ash' },
      { link: 'link', target: 'motd' },
      // Read and written back unchanged: opening it for writing copies it up.
      { append: 'tree/new', text: '' },
    ]);
    const said = (await subject.call('changesOnDisk', at.path('upper'), lower)) as Change[];
    expect(said.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'changed /bin',
      'added /bin/ash',
      'deleted /bin/sh',
      'added /link',
      'changed /motd',
      'deleted /old',
      'changed /rights',
      'changed /tree',
      'deleted /tree/leaf',
      'added /tree/new',
      'deleted /tree/twig',
    ]);
  });
});

function describeLayers(layers: Record<string, LayerEntry>[]): string {
  const short = ({ type, attributes }: LayerEntry) =>
    type === 'character-device' ? 'whiteout' : `${type}${attributes['user.overlay.opaque'] ? ' (opaque)' : ''}`;
  return layers
    .map((layer) =>
      JSON.stringify(Object.fromEntries(Object.entries(layer).map(([path, entry]) => [path, short(entry)]))),
    )
    .join(' over ');
}
