import { CliError, errorText } from '../errors.ts';
import { withGoNils } from '../template/go-nils.ts';
import { compile } from '../template/template.ts';
import { goJson } from '../template/values.ts';

/** One document as `--format` wants it: `json` or a template. @throws CliError when the template does not fit. */
export function formatDocument(document: unknown, format: string): string {
  if (format === 'json') return goJson(document);
  try {
    const template = compile(format);
    return template.execute(withGoNils(document));
  } catch (error) {
    throw new CliError(errorText(error), 1, { cause: error });
  }
}
