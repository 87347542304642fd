/** The exported declarations of a module, one by one, so that two modules can be compared whatever their order is. */

import fs from 'node:fs';
import path from 'node:path';
import { parse } from '@babel/parser';

/** Text of each exported function, class and constant, in the order of the file. What is re-exported is looked up where it stands. */
export function exportedDeclarations(file: string): Map<string, string> {
  const found = new Map<string, string>();
  const text = fs.readFileSync(file, 'utf8');
  const { program } = parse(text, { sourceType: 'module', plugins: ['typescript', 'explicitResourceManagement'] });
  const all = new Map<string, string>();
  for (const statement of program.body) {
    const exported = statement.type === 'ExportNamedDeclaration';
    const declaration = exported ? statement.declaration : statement;
    for (const name of namesOf(declaration)) {
      const own = text.slice(statement.start ?? 0, statement.end ?? 0);
      all.set(name, own);
      if (exported) found.set(name, own);
    }
    if (!exported || statement.exportKind === 'type') continue;
    const source = statement.source?.value;
    const others = source?.startsWith('.') ? exportedDeclarations(path.resolve(path.dirname(file), source)) : all;
    for (const specifier of statement.specifiers) {
      if (specifier.type !== 'ExportSpecifier' || specifier.exported.type !== 'Identifier') continue;
      const its = others.get(specifier.local.name);
      if (its !== undefined) found.set(specifier.exported.name, its);
    }
  }
  return found;
}

interface Named {
  type: string;
  id?: { name?: string } | null;
  declarations?: { id: { type: string; name?: string } }[];
}

/** Types are the contract's, and the same on both sides. */
function namesOf(declaration: unknown): string[] {
  const { type, id, declarations } = (declaration ?? { type: '' }) as Named;
  if (type === 'FunctionDeclaration' || type === 'ClassDeclaration') return id?.name === undefined ? [] : [id.name];
  if (type !== 'VariableDeclaration') return [];
  return (declarations ?? []).flatMap(({ id }) => (id.name === undefined ? [] : [id.name]));
}
