/** A pull of a few lines that believes what it is sent: `naive.mjs HOST/NAME` says what the image would run. */

const [, host, name] = /^([^/]+)\/(.+)$/.exec(process.argv[2]);
const get = async (path) => (await fetch(`http://${host}/v2/${name}/${path}`, { headers: { accept } })).json();
const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';

const manifest = await get('manifests/latest');
const { config } = await get(`blobs/${manifest.config.digest}`);
console.log(`pulled: ${name} has ${config.Env.join(' ')} and would run ${config.Cmd.join(' ')}`);
