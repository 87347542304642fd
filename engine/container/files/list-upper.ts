import { isWhiteout } from '../../image/layer-diff.ts';
import { childrenOf, nodeAt, overlayMarks, type TreeNode } from '../../image/tree-entries.ts';
import type { UpperEntry } from './request.ts';

/** Everything in the upperdir that is the root of this process, each directory before what is in it. */
export function* listUpper(): Generator<UpperEntry> {
  yield* below(nodeAt('/', '')!);
}

function* below(directory: TreeNode): Generator<UpperEntry> {
  for (const node of childrenOf('/', directory)) {
    const { path, absolute, info } = node;
    const isDirectory = info.isDirectory();
    yield {
      path,
      type: isWhiteout(info) ? 'whiteout' : isDirectory ? 'directory' : 'other',
      opaque: isDirectory && `${overlayMarks(absolute).get('opaque')}` === 'y',
      mode: Number(info.mode & 0o7777n),
      uid: Number(info.uid),
      gid: Number(info.gid),
      mtime: Number(info.mtimeMs),
    };
    if (isDirectory) yield* below(node);
  }
}
