import { describe, expect, test } from 'vitest';
import { withGoNils } from './go-nils.ts';
import { compile } from './template.ts';

const data = withGoNils({
  Name: '/web',
  Size: 12345,
  Ratio: 1.5,
  Huge: 9223372036854775807n,
  On: true,
  Off: false,
  Nothing: null,
  Labels: { b: '2', a: '1', 'with.dot': '3' },
  Env: ['A=1', 'B=2'],
  Empty: [],
  State: { Status: 'running', Pid: 42 },
  Config: { Entrypoint: null, Volumes: null, Healthcheck: null },
  Mounts: [{ Source: '/x' }, { Source: '/y' }],
});

const render = (template: string): string => compile(template).execute(data);

describe('a template', () => {
  test.each([
    ['{{.Name}}', '/web'],
    ['{{ .State.Status }} {{.State.Pid}}', 'running 42'],
    ['{{.Env}} {{.Labels}} {{.Empty}}', '[A=1 B=2] map[a:1 b:2 with.dot:3] []'],
    ['{{.Config.Entrypoint}} {{.Config.Volumes}} {{.Config.Healthcheck}}', '[] map[] <nil>'],
    ['{{json .Config}}', '{"Entrypoint":null,"Volumes":null,"Healthcheck":null}'],
    ['{{.Ratio}} {{.Huge}} {{json .Huge}}', '1.5 9223372036854775807 9223372036854775807'],
    ['{{json .Labels}} {{json "<&>"}}', '{"b":"2","a":"1","with.dot":"3"} "<&>"'],
    ['{{index .Labels "with.dot"}}{{index .Labels "nope"}} {{index .Env 1}}', '3 B=2'],
    ['{{(index .Mounts 1).Source}}', '/y'],
    ['{{range .Env}}<{{.}}>{{end}}', '<A=1><B=2>'],
    ['{{range $i, $e := .Env}}{{if $i}}, {{end}}{{$i}}={{$e}}{{end}}', '0=A=1, 1=B=2'],
    ['{{range $k, $v := .Labels}}{{$k}}{{$v}} {{end}}', 'a1 b2 with.dot3 '],
    ['{{range .Empty}}x{{else}}none{{end}}', 'none'],
    ['{{range .Env}}{{.}}{{break}}{{end}} {{range .Env}}{{continue}}x{{end}}', 'A=1 '],
    ['{{range .Mounts}}{{$.Name}}{{.Source}} {{end}}', '/web/x /web/y '],
    ['{{if .On}}on{{end}}{{if .Off}}x{{else if .Empty}}y{{else}}z{{end}}', 'onz'],
    ['{{with .State}}{{.Pid}}{{end}}{{with .Off}}x{{else}}no{{end}}', '42no'],
    ['{{$x := .Name}}{{$x}}{{if .On}}{{$x = "y"}}{{end}}{{$x}}', '/weby'],
    ['a  {{- " b " -}}  c', 'a b c'],
    ['{{/* nothing */}}x{{- /* trimmed */ -}}  y', 'xy'],
    ['{{"a\\tb\\u00e9\\x41"}}{{`raw\\t`}}{{print \'a\'}}', 'a\tbéAraw\\t97'],
    ['{{upper "a"}}{{lower "B"}}{{title "ab cd"}}{{join .Env "+"}}{{len .Env}}{{len "é"}}', 'AbAb CdA=1+B=222'],
    ['{{split "a,b" ","}}{{pad "x" 1 2}}|{{truncate "abc" 2}}', '[a b] x  |ab'],
    ['{{eq 1 1}} {{eq .Name "a" "/web"}} {{ne 1 2}} {{lt "a" "b"}} {{ge 2 3}}', 'true true true true false'],
    ['{{and .On .Name}} {{or .Off "d"}} {{not .Off}} {{and .Off .Nope.X}}', '/web d true false'],
    ['{{.Name | printf "%s-%s" "x" | upper}}', 'X-/WEB'],
    [
      '{{printf "%5d|%-5d|%05d|%x|%q|%v|%t|%.2f|%8.3f|%%" 5 5 5 255 "a\\n" nil true 1.5 3.14159}}',
      '    5|5    |00005|ff|"a\\n"|<nil>|true|1.50|   3.142|%',
    ],
    ['{{printf "%d" "x"}} {{printf "%s"}} {{printf "a" 1}}', '%!d(string=x) %!s(MISSING) a%!(EXTRA int=1)'],
    ['{{print 1 2 "x" 3 4}}{{println "y"}}', '1 2x3 4y\n'],
    ['{{html "<a>"}} {{urlquery "a b"}} {{slice "abcdef" 1 3}}', '&lt;a&gt; a+b bc'],
    ['{{"}}"}}{{"{{"}}', '}}{{'],
    ['{{1}} {{-3}} {{0x10}} {{1.5}} {{true}}', '1 -3 16 1.5 true'],
    ['{{.State.Health}}', '<nil>'],
    ['no actions', 'no actions'],
  ])('%s', (template, expected) => {
    expect(render(template)).toBe(expected);
  });

  test.each([
    ['{{.Name', 'template: :1: unclosed action'],
    ['a\n{{.Name', 'template: :2: unclosed action'],
    ['{{foo .}}', 'template: :1: function "foo" not defined'],
    ['{{if}}x{{end}}', 'template: :1: missing value for if'],
    ['{{if .On}}x', 'template: :1: unexpected EOF'],
    ['{{end}}', 'template: :1: unexpected {{end}}'],
    ['{{else}}', 'template: :1: unexpected {{else}}'],
    ['{{$y}}', 'template: :1: undefined variable "$y"'],
    ['{{break}}', 'template: :1: {{break}} outside {{range}}'],
    ['{{"a}}', 'template: :1: unterminated quoted string'],
    ['{{(1}}', 'template: :1: unclosed left paren'],
  ])('%s is refused', (template, message) => {
    expect(() => compile(template)).toThrow(message);
  });

  test.each([
    ['{{.Foo}}', 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"'],
    ['{{.State.Foo}}', 'template: :1:8: executing "" at <.State.Foo>: map has no entry for key "Foo"'],
    ['\n {{.Foo}}', 'template: :2:3: executing "" at <.Foo>: map has no entry for key "Foo"'],
    ['{{.Name.Foo}}', 'template: :1:7: executing "" at <.Name.Foo>: can\'t evaluate field Foo in type interface {}'],
    ['{{len 3}}', 'template: :1:2: executing "" at <len 3>: error calling len: len of type int'],
    ['{{nil}}', 'template: :1:2: executing "" at <nil>: nil is not a command'],
    ['{{range .Name}}{{end}}', "range can't iterate over /web"],
    ['{{eq .On "x"}}', 'incompatible types for comparison'],
    ['{{index .Env 9}}', 'index out of range: 9'],
  ])('%s fails by name and place', (template, message) => {
    expect(() => render(template)).toThrow(message);
  });

  test('calls methods of its data, with arguments and without', () => {
    const row = { ID: () => 'abc', Label: (name: string) => `<${name}>` };
    expect(compile('{{.ID}} {{.Label "x"}} {{"y" | .Label}} {{json .}}').execute(row)).toBe('abc <x> <y> {"ID":"abc"}');
  });

  test('cannot reach what JavaScript gives every object', () => {
    expect(() => render('{{.constructor}}')).toThrow('map has no entry for key "constructor"');
    expect(() => render('{{.Labels.__proto__}}')).toThrow('map has no entry');
    expect(() => render('{{.Env.length}}')).toThrow("can't evaluate field length");
    expect(render('{{index .Labels "toString"}}')).toBe('');
  });
});
