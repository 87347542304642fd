// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Dockerfiles
/** Dockerfiles of the shapes that people write, small enough to build in a moment, all on `hostbox`. */

export interface Shape {
  name: string;
  /** Of the context; with `-> ` in front a link. */
  files: Record<string, string>;
  options?: string[];
}

const shape = (name: string, Dockerfile: string, files: Record<string, string> = {}, options?: string[]): Shape => ({
  name,
  files: { Dockerfile, ...files },
  ...(options && { options }),
});

export const SHAPES: Shape[] = [
  shape(
    'an application with its dependencies first',
    `FROM hostbox
LABEL maintainer="me@example.com" org.example.title='An app'
ENV NODE_ENV=production \\
    # a comment in the middle
    PATH=/usr/src/app/bin:$PATH

WORKDIR /usr/src/app
COPY package*.json ./
RUN cat package.json > installed && mkdir -p node_modules/dep && touch node_modules/dep/index.js
COPY . .
EXPOSE 3000
USER 1000
CMD [ "node", "server.js" ]
`,
    {
      'package.json': '{}',
      'package-lock.json': '{}',
      'server.js': 'x',
      'lib/a.js': 'a',
      '.dockerignore': '# what is not needed\n*.log\n!keep.log\n**/tmp\nREADME*\n',
      'a.log': '',
      'keep.log': '',
      'lib/tmp/x': '',
      'README.md': '',
    },
  ),
  shape(
    'a compiler and what it made',
    `ARG BASE=hostbox
ARG GO_VERSION=1.22
FROM \${BASE} AS build
ARG GO_VERSION
ARG TARGET=app
WORKDIR /src
COPY main.go go.* /src/
RUN echo "$GO_VERSION $TARGET" > /out && cp main.go /bin/$TARGET && chmod 755 /bin/$TARGET
FROM scratch AS empty
FROM \${BASE}
COPY --from=build /bin/app /out /usr/local/bin/
COPY --from=build --chown=65534:65534 /src /src
ENTRYPOINT ["/usr/local/bin/app"]
`,
    { 'main.go': 'package main', 'go.mod': 'module x', 'go.sum': '' },
    ['--build-arg', 'GO_VERSION=1.23'],
  ),
  shape(
    'everything the configuration has',
    `from hostbox
maintainer Somebody <s@example.com>
env A 1 and the rest
env B="two words" C=with\\ blank D='$A' E="$A" F=\${A:-x}\${NONE:-y}\${A:+z}
env A=2
label a=1 b="x y" "c d"=e
expose 80 443/tcp 53/UDP 8000-8002
volume /data
volume ["/log", "/with space"]
workdir /srv
workdir app
workdir ../$B
user me:users
stopsignal SIGQUIT
healthcheck --interval=30s --timeout=3s --start-period=1m --retries=3 CMD curl -f http://localhost/ || exit 1
shell ["/bin/sh", "-ec"]
entrypoint exec top -b
cmd -H
onbuild run echo triggered > /triggered
onbuild copy . /onbuild
`,
  ),
  shape(
    'commands, inherited and not',
    `FROM hostbox AS first
CMD ["a"]
ENTRYPOINT ["/e"]
FROM first AS second
ENTRYPOINT /f $x
FROM second
CMD echo "$HOME" 'it''s' \\
  && true
HEALTHCHECK NONE
`,
  ),
  shape(
    'an escape character of Windows',
    '# escape=`\nFROM hostbox\nRUN echo a `\n  b > /x\nENV P=C:\\dir Q=`$P R="a`"b"\nCOPY a `\n b `\n /d/\n',
    { a: 'a', b: 'b' },
  ),
  shape(
    'copies of all kinds',
    `FROM hostbox
RUN mkdir /there && chmod 1770 /there && ln -s /there /link && touch /a-file
COPY a /renamed
COPY a /dir/
COPY d /dir2
COPY d/ /there
COPY d /link/sub
COPY a b* /several/
COPY *.none? d/[x-z] /globs/
COPY ["with space", "/with space 2"]
COPY link-to-file /followed
COPY d/link /kept/
COPY d /kept2
COPY --chown=7:8 a d /owned/
COPY --chown=sailor a /named
COPY --chown=nobody:nogroup a /named2
COPY a /a-file
COPY . /all
ADD a /added
ADD d /added-d/
WORKDIR /some/where
COPY a .
COPY a ./sub/
COPY a ../up
`,
    {
      a: 'a',
      b: 'b',
      b2: 'b2',
      'x.none1': '1',
      'd/x': 'x',
      'd/deep/y': 'y',
      'd/link': '-> x',
      'd/dangling': '-> /nowhere',
      'link-to-file': '-> a',
      'with space': 's',
    },
  ),
  shape(
    'archives that ADD unpacks',
    'FROM hostbox\nADD one.tar /one/\nADD two.tar.gz /two\nCOPY one.tar /three/\nADD not.tar /four/\nADD --chown=5:6 one.tar /five/\n',
    { 'not.tar': 'no archive' },
  ),
  shape(
    'files that come, change and go',
    `FROM hostbox
RUN mkdir -p /d/sub && echo 1 > /d/a && echo 2 > /d/sub/b && echo 3 > /c
RUN rm /c && rm -r /d/sub && mkdir /d/sub && echo new > /d/sub/n
RUN chmod 600 /d/a && chown 3:4 /d/a && ln /d/a /d/hard && ln -s a /d/soft
RUN rm -r /d && echo file > /d
`,
  ),
  shape(
    'arguments, and where they are seen',
    `ARG EARLY=early
FROM hostbox
ARG EARLY
ARG LATE=late
ARG GIVEN=default
ARG NEVER
RUN echo "$EARLY $LATE $GIVEN [$NEVER] [$TARGETOS]" > /args
ENV GIVEN=env-wins
RUN echo "$GIVEN" > /env
LABEL seen=$EARLY-$LATE-$GIVEN-$NEVER
FROM hostbox
COPY --from=0 /args /env /
LABEL unseen=[$EARLY$LATE]
ENV PROXY=[$http_proxy]
RUN echo "[$http_proxy]" > /proxy
`,
    {},
    ['--build-arg', 'GIVEN=given', '--build-arg', 'http_proxy=http://proxy.example:3128'],
  ),
  shape('labels and a target from outside', 'FROM hostbox AS a\nRUN touch /a\nFROM a AS b\nRUN exit 1\n', {}, [
    '--target',
    'a',
    '--label',
    "x=it's",
    '--label',
    'y=1 2',
  ]),
  shape(
    'a line with everything that continues',
    `FROM hostbox
RUN echo one && \\

  # a comment
    echo "two \\
  three" \\
  ; true > /x
RUN set -e; for i in 1 2 3; do \\
      echo $i >> /n; \\
    done
CMD echo \\
end
`,
  ),
  shape(
    'a user who may not do everything',
    `FROM hostbox
RUN mkdir /home/me && chown 1000:1000 /home/me
USER 1000:1000
WORKDIR /home/me/w
RUN id -u > /home/me/id && pwd >> /home/me/id
COPY --chown=1000 a .
USER root
RUN id -u > /root-id
`,
    { a: 'a' },
  ),
];
