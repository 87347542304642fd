/** Columns are at least this wide, spaces between them included. */
const NARROWEST = 10;
const BETWEEN = 3;

/**
 * Lay out lines whose cells are separated by tabs, each column as wide as its widest cell. The last cell of a line
 * belongs to no column, so nothing trails it. Go, text/tabwriter with minwidth 10 and padding 3 unless
 * told otherwise, as docker uses it.
 */
export async function layOut(lines: string[], { narrowest = NARROWEST, between = BETWEEN } = {}): Promise<string> {
  const rows = lines.map((line) => line.split('\t'));
  const plain = /^[\x20-\x7e\t…]*$/;
  // Loading the tables of wide characters takes longer than all the rest, and hardly any listing has one.
  const width = lines.every((line) => plain.test(line)) ? lengthOf : (await import('string-width')).default;
  const padded = rows.map((cells) => cells.map((text) => ({ text, pad: 0 })));
  const columns = Math.max(0, ...rows.map((cells) => cells.length - 1));
  for (let column = 0; column < columns; column += 1) {
    // A column is a block of adjacent lines that have it; a line without it ends the block.
    let block: { text: string; pad: number }[] = [];
    const close = (): void => {
      const widest = Math.max(0, ...block.map((cell) => width(cell.text)));
      const total = Math.max(narrowest, widest + between);
      for (const cell of block) cell.pad = total - width(cell.text);
      block = [];
    };
    for (const cells of padded) {
      const cell = cells[column];
      if (cell !== undefined && column < cells.length - 1) block.push(cell);
      else close();
    }
    close();
  }
  return padded.map((cells) => `${cells.map(({ text, pad }) => text + ' '.repeat(pad)).join('')}\n`).join('');
}

function lengthOf(cell: string): number {
  return cell.length;
}
