/** name-images.ts DIRECTORY PREFIX COUNT: build hostbox and give it COUNT names, a line for each when it has it. */
import { Images } from '../images.ts';

const [directory, prefix, count] = process.argv.slice(2);
const images = await Images.open(directory!);
const { id } = await images.ensureHostbox();
for (let number = 0; number < Number(count); number += 1) {
  await images.tag(id, `${prefix}:${number}`);
  console.log(`${prefix}:${number}`);
}
