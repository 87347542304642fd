/** put-stdin.ts LAYOUT: store standard input as one blob. */
import { Store } from '../store.ts';

const store = await Store.open(process.argv[2]!);
console.log((await store.put(process.stdin)).digest);
