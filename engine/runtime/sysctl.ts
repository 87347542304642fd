import { writeFileSync } from 'node:fs';
import { step } from './step.ts';

/**
 * Write kernel parameters through the container's own /proc/sys, while that is still writable. sysctl(8).
 * @param parameters names with dots, e.g. `net.ipv4.ip_forward`.
 */
export function setKernelParameters(parameters: Record<string, string>): void {
  for (const [name, value] of Object.entries(parameters)) {
    step(`sysctl ${name}`, () => {
      if (!/^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)+$/.test(name))
        throw new Error(`"${name}" is not the name of a kernel parameter; they look like net.ipv4.ip_forward.`);
      writeFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, value);
    });
  }
}
