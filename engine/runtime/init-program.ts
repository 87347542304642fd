/**
 * A program that is process 1 of a container and nothing else: it starts the real program, hands every signal on to it,
 * and reaps whatever is left to it. pid_namespaces(7), "The namespace init process". There is no compiler on the machines
 * this runs on, so it stands here as its bytes, each instruction with what it says.
 *
 * Its arguments are a name, `--`, and the program's: a path first, which is not searched for. It ends as the program does,
 * with 128 + n after signal n; with 127 when there is no such program, and with 126 when it cannot be run.
 */

import { elfFile, MACHINES } from '#kernel/elf-file';

/** syscall(2): the number in eax, arguments in rdi, rsi, rdx, r10. */
const X86_64 = `
  488b1c24              mov rbx, [rsp]                # argc
  488d6c2408            lea rbp, [rsp+8]              # argv
  4c8d64dd08            lea r12, [rbp+rbx*8+8]        # envp
  488b5d00              mov rbx, [rbp]                # its own name, a path in /proc: "docker-init" instead
  48b8646f636b65722d69  movabs rax, 0x692d72656b636f64
  488903                mov [rbx], rax
  c743086e697400        mov dword ptr [rbx+8], 0x74696e
  b89d000000            mov eax, 157                  # prctl
  bf0f000000            mov edi, 15                   # PR_SET_NAME
  4889de                mov rsi, rbx
  0f05                  syscall
  4883c30b              add rbx, 11
blank:
  c60320                mov byte ptr [rbx], 32
  48ffc3                inc rbx
  803b00                cmp byte ptr [rbx], 0
  75f5                  jne blank
  4881ec90000000        sub rsp, 144                  # a place for a signal set, a status and a siginfo
  48c70424ffffffff      mov qword ptr [rsp], -1
  b80e000000            mov eax, 14                   # rt_sigprocmask
  bf02000000            mov edi, 2                    # SIG_SETMASK
  4889e6                mov rsi, rsp
  31d2                  xor edx, edx
  41ba08000000          mov r10d, 8
  0f05                  syscall
  b839000000            mov eax, 57                   # fork
  0f05                  syscall
  85c0                  test eax, eax
  0f88db000000          js fail
  7475                  jz child
  4189c5                mov r13d, eax                 # the program's pid
wait:
  b880000000            mov eax, 128                  # rt_sigtimedwait
  4889e7                mov rdi, rsp
  31f6                  xor esi, esi
  31d2                  xor edx, edx
  41ba08000000          mov r10d, 8
  0f05                  syscall
  83f811                cmp eax, 17                   # SIGCHLD
  7412                  je reap
  85c0                  test eax, eax
  7ee3                  jle wait                      # EINTR, EAGAIN
  89c6                  mov esi, eax                  # hand it on
  b83e000000            mov eax, 62                   # kill
  4489ef                mov edi, r13d
  0f05                  syscall
  ebd5                  jmp wait
reap:
  b83d000000            mov eax, 61                   # wait4
  48c7c7ffffffff        mov rdi, -1
  488d742408            lea rsi, [rsp+8]
  ba01000000            mov edx, 1                    # WNOHANG
  4531d2                xor r10d, r10d
  0f05                  syscall
  85c0                  test eax, eax
  7eb6                  jle wait
  4439e8                cmp eax, r13d
  75dc                  jne reap
  8b7c2408              mov edi, [rsp+8]              # its status
  89f8                  mov eax, edi
  83e07f                and eax, 127
  7408                  jz exited
  8db880000000          lea edi, [rax+128]            # a signal ended it
  eb09                  jmp exit
exited:
  c1ef08                shr edi, 8
  81e7ff000000          and edi, 255
exit:
  b8e7000000            mov eax, 231                  # exit_group
  0f05                  syscall
child:
  b86d000000            mov eax, 109                  # setpgid: a group of its own, so that a terminal's keys do not come twice
  31ff                  xor edi, edi
  31f6                  xor esi, esi
  0f05                  syscall
  b827000000            mov eax, 39                   # getpid
  0f05                  syscall
  89442408              mov [rsp+8], eax
  b810000000            mov eax, 16                   # ioctl: in the foreground, where there is a terminal
  31ff                  xor edi, edi
  be10540000            mov esi, 0x5410               # TIOCSPGRP
  488d542408            lea rdx, [rsp+8]
  0f05                  syscall
  48c7042400000000      mov qword ptr [rsp], 0
  b80e000000            mov eax, 14                   # rt_sigprocmask: none is blocked
  bf02000000            mov edi, 2
  4889e6                mov rsi, rsp
  31d2                  xor edx, edx
  41ba08000000          mov r10d, 8
  0f05                  syscall
  b83b000000            mov eax, 59                   # execve
  488b7d10              mov rdi, [rbp+16]
  488d7510              lea rsi, [rbp+16]
  4c89e2                mov rdx, r12
  0f05                  syscall
  bf7f000000            mov edi, 127
  83f8fe                cmp eax, -2                   # ENOENT
  7495                  je exit
fail:
  bf7e000000            mov edi, 126
  eb8e                  jmp exit
`;

/** syscall(2): the number in x8, arguments in x0 to x4. */
const AARCH64 = `
  f30340f9              ldr x19, [sp]                 # argc
  f4230091              add x20, sp, #8               # argv
  950e138b              add x21, x20, x19, lsl #3
  b5220091              add x21, x21, #8              # envp
  890240f9              ldr x9, [x20]                 # its own name, a path in /proc: "docker-init" instead
  8aec8dd2              movz x10, #0x6f64
  6a6cadf2              movk x10, #0x6b63, lsl #16
  aa4ccef2              movk x10, #0x7265, lsl #32
  aa25edf2              movk x10, #0x692d, lsl #48
  2a0100f9              str x10, [x9]
  ca2d8d52              movz w10, #0x696e
  8a0ea072              movk w10, #0x74, lsl #16
  2a0900b9              str w10, [x9, #8]
  e00180d2              mov x0, #15                   # PR_SET_NAME
  e10309aa              mov x1, x9
  e81480d2              mov x8, #167                  # prctl
  010000d4              svc #0
  292d0091              add x9, x9, #11
  0a048052              mov w10, #32
blank:
  2a150038              strb w10, [x9], #1
  2b014039              ldrb w11, [x9]
  cbffff35              cbnz w11, blank
  ff4300d1              sub sp, sp, #16
  00008092              mov x0, #-1
  e00300f9              str x0, [sp]
  400080d2              mov x0, #2                    # SIG_SETMASK
  e1030091              mov x1, sp
  020080d2              mov x2, #0
  030180d2              mov x3, #8
  e81080d2              mov x8, #135                  # rt_sigprocmask
  010000d4              svc #0
  200280d2              mov x0, #17                   # SIGCHLD
  010080d2              mov x1, #0
  020080d2              mov x2, #0
  030080d2              mov x3, #0
  040080d2              mov x4, #0
  881b80d2              mov x8, #220                  # clone
  010000d4              svc #0
  e007f8b7              tbnz x0, #63, fail
  600400b4              cbz x0, child
  f60300aa              mov x22, x0                   # the program's pid
wait:
  e0030091              mov x0, sp
  010080d2              mov x1, #0
  020080d2              mov x2, #0
  030180d2              mov x3, #8
  281180d2              mov x8, #137                  # rt_sigtimedwait
  010000d4              svc #0
  1f4400f1              cmp x0, #17
  00010054              b.eq reap
  1f0000f1              cmp x0, #0
  edfeff54              b.le wait
  e10300aa              mov x1, x0
  e00316aa              mov x0, x22
  281080d2              mov x8, #129                  # kill
  010000d4              svc #0
  f2ffff17              b wait
reap:
  00008092              mov x0, #-1
  e1230091              add x1, sp, #8
  220080d2              mov x2, #1                    # WNOHANG
  030080d2              mov x3, #0
  882080d2              mov x8, #260                  # wait4
  010000d4              svc #0
  1f0000f1              cmp x0, #0
  4dfdff54              b.le wait
  1f0016eb              cmp x0, x22
  e1feff54              b.ne reap
  e10b40b9              ldr w1, [sp, #8]
  20180072              ands w0, w1, #127
  60000054              b.eq exited
  00000211              add w0, w0, #128
  02000014              b exit
exited:
  203c0853              ubfx w0, w1, #8, #8
exit:
  c80b80d2              mov x8, #94                   # exit_group
  010000d4              svc #0
child:
  000080d2              mov x0, #0
  010080d2              mov x1, #0
  481380d2              mov x8, #154                  # setpgid
  010000d4              svc #0
  881580d2              mov x8, #172                  # getpid
  010000d4              svc #0
  e00b00b9              str w0, [sp, #8]
  000080d2              mov x0, #0
  01828ad2              mov x1, #0x5410               # TIOCSPGRP
  e2230091              add x2, sp, #8
  a80380d2              mov x8, #29                   # ioctl
  010000d4              svc #0
  ff0300f9              str xzr, [sp]
  400080d2              mov x0, #2
  e1030091              mov x1, sp
  020080d2              mov x2, #0
  030180d2              mov x3, #8
  e81080d2              mov x8, #135
  010000d4              svc #0
  800a40f9              ldr x0, [x20, #16]
  81420091              add x1, x20, #16
  e20315aa              mov x2, x21
  a81b80d2              mov x8, #221                  # execve
  010000d4              svc #0
  1f0800b1              cmn x0, #2                    # ENOENT
  e00f8052              mov w0, #127
  80fcff54              b.eq exit
fail:
  c00f8052              mov w0, #126
  e2ffff17              b exit
`;

const LISTINGS: Partial<Record<string, string>> = { x64: X86_64, arm64: AARCH64 };

/** The file, for the architecture given as Node names it. @throws Error for any other. */
export function initProgram(architecture: string = process.arch): Buffer {
  const [listing, machine] = [LISTINGS[architecture], MACHINES[architecture]];
  if (listing === undefined || machine === undefined)
    throw new Error(`There is no init for ${architecture}; start the container without it.`);
  const code = Buffer.from([...listing.matchAll(/^ {2}([0-9a-f]+)/gm)].map(([, bytes]) => bytes).join(''), 'hex');
  return elfFile(machine, code);
}
