/** What the checks of the chapters read out of a Markdown file. */

export interface Chapter {
  /** Second-level headings, in order. */
  sections: string[];
  words: number;
  /** The text of each block fenced as ```sh: commands that must work. */
  commands: string[];
  /** Targets of relative links, without their fragments. */
  links: string[];
}

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;

export function readChapter(markdown: string): Chapter {
  const commands = [...markdown.matchAll(FENCE)].filter(([, language]) => language === 'sh').map(([, , text]) => text!);
  const prose = markdown.replace(FENCE, '');
  return {
    sections: [...prose.matchAll(/^## (.+)$/gm)].map(([, title]) => title!.trim()),
    words: markdown.split(/\s+/).filter(Boolean).length,
    commands,
    links: [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!.split('#')[0]!)
      .filter((target) => target !== '' && !/^[a-z]+:/.test(target)),
  };
}
