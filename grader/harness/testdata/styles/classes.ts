// Classes and objects as people write them: names that their parents have, too.
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { inherits } from 'node:util';

class Fault extends Error {
  readonly code: string;
  constructor(message: string, code = 'EFAULT', options?: ErrorOptions) {
    super(message, options);
    this.name = 'Fault';
    this.code = code;
    this.message = `${code}: ${message}`;
    this.toString = () => this.message;
    Error.captureStackTrace?.(this, Fault);
  }
}
class Named extends Fault {
  override name = this.constructor.name;
  static from(error: unknown) {
    return Object.assign(new Named(String(error)), { cause: error, code: 'ENAMED' });
  }
  override get [Symbol.toStringTag]() {
    return 'Named';
  }
}
Named.prototype.name = 'Named';

function Old(this: { list: string[] }) {
  EventEmitter.call(this as never);
  this.list = [];
}
inherits(Old as never, EventEmitter);
Old.prototype.constructor = Old;
Old.prototype.toString = () => 'old';
Old.prototype.emit = function (...all: unknown[]) {
  return EventEmitter.prototype.emit.apply(this, all as [string]);
};
function Ancient() {}
Ancient.prototype = Object.create(Array.prototype);
Ancient.prototype.push = Ancient.prototype.map = () => 0;

class Stack<T> extends Array<T> {
  override push = (...all: T[]) => super.push(...all);
  peek() {
    return this.at(-1);
  }
}
class Registry extends Map<string, number> {
  override get(key: string) {
    return super.get(key) ?? 0;
  }
}
class Lines extends Readable {
  override _read() {
    this.push(null);
  }
}
enum Kind {
  File = 1,
  Directory = 'directory'.length,
}
const enum Bit {
  One = 1 << 0,
}
namespace Names {
  export const all = ['a', 'b'];
}
abstract class Once {
  static #made: Once | undefined;
  static get instance() {
    return (Once.#made ??= new (class extends Once {})());
  }
  declare label: string;
  accessor count = 0;
}
const table: Record<string, unknown> = {};
for (const name of ['constructor', 'toString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf', 'toLocaleString']) table[name] = name;
const list: string[] = [];
list.find = () => 'mine';
list.toString = () => 'list';
const call = () => 1;
call.toString = () => 'call';
call.apply = () => 2;
const promise = Promise.resolve(1);
promise.then = promise.then.bind(promise);
Object.freeze(Object.assign(Object.create(null), table));
const old = new (Old as unknown as new () => EventEmitter)();
old.on('x', () => {});
old.emit('x');
if (Object.keys(table).length !== 6 || table.constructor !== 'constructor') throw new Error('own names');
if (new Named('x').name !== 'Named' || !(Named.from(1) instanceof Fault) || String(old) !== 'old') throw new Error('errors');
if (new Stack(1, 2, 3).peek() !== 3 || new Registry().get('x') !== 0 || Kind.File + Bit.One !== 2) throw new Error('classes');
if (list.find(() => true) !== 'mine' || `${call}${list}` !== 'calllist') throw new Error('functions');
void [Lines, Names.all, Once.instance.count, Ancient];
