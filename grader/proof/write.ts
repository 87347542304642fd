/** `npx tsx grader/proof/write.ts`: write docs/proof.md anew. */

import fs from 'node:fs';
import path from 'node:path';
import { home } from '../harness/home.ts';
import { readMutation } from './mutation-results.ts';
import { proofPage } from './table.ts';
import { allVariants } from './variants.ts';

fs.writeFileSync(path.join(home, 'docs/proof.md'), proofPage(allVariants(), readMutation()));
