import { type Profile, parseProfileText, SeccompProfileError } from '../runtime/seccomp/profile.ts';
import { ContainerError } from './errors.ts';

export interface SecurityOptions {
  noNewPrivileges: boolean;
  seccomp: 'default' | 'unconfined' | Profile;
}

/** What is asked for and holds here anyway. */
const TRUE_HERE = ['apparmor=unconfined', 'label=disable', 'label:disable'];

/**
 * Docker's `--security-opt`. A seccomp profile comes as its text, which the client has read from the file.
 * @throws ContainerError `invalid` for a malformed profile, `unsupported` for unknown options.
 */
export function securityOptions(options: string[]): SecurityOptions {
  const result: SecurityOptions = { noNewPrivileges: false, seccomp: 'default' };
  for (const option of options) {
    const [, name, value] = /^([^=:]*)(?:[=:](.*))?$/s.exec(option)!;
    if (name === 'no-new-privileges' && (value === undefined || value === 'true' || value === 'false'))
      result.noNewPrivileges = value !== 'false';
    else if (name === 'seccomp' && value) result.seccomp = seccompProfile(value);
    else if (!TRUE_HERE.includes(option))
      throw new ContainerError(
        'unsupported',
        `This engine does not have --security-opt ${option.slice(0, 60)}. It has no-new-privileges and seccomp.`,
      );
  }
  return result;
}

function seccompProfile(text: string): SecurityOptions['seccomp'] {
  if (text === 'unconfined') return text;
  if (text === 'builtin') return 'default';
  try {
    return parseProfileText(text);
  } catch (error) {
    if (error instanceof SeccompProfileError) throw new ContainerError('invalid', error.message, { cause: error });
    throw error;
  }
}
