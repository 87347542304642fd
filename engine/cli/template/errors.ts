/** The template's text is wrong. */
export class TemplateSyntaxError extends Error {
  constructor(line: number, reason: string) {
    super(`template: :${line}: ${reason}`);
    this.name = 'TemplateSyntaxError';
  }
}

/** The template asks for something that its data does not have. */
export class TemplateExecutionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TemplateExecutionError';
  }
}
