/** Single requests to a registry, and the few documents that most tests push. */

import { createHash } from 'node:crypto';
import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of it
  json: any;
}

export interface Question {
  headers?: OutgoingHttpHeaders;
  body?: string | Uint8Array;
  agent?: http.Agent;
}

/** @param url of the registry, or a whole URL when `path` is empty */
export function ask(url: string, method: string, path: string, question: Question = {}): Promise<Answer> {
  const { headers = {}, body, agent } = question;
  return new Promise((resolve, reject) => {
    const isCounted = body !== undefined && headers['transfer-encoding'] === undefined;
    const length = isCounted ? { 'content-length': Buffer.byteLength(body) } : {};
    const request = http.request(`${url}`, { method, path: path || '/', headers: { ...length, ...headers }, agent });
    request.on('error', reject);
    request.on('response', async (response) => {
      try {
        const bytes = await buffer(response);
        const text = bytes.toString();
        const isJson = /json/.test(response.headers['content-type'] ?? '') && text !== '';
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: bytes,
          text,
          json: isJson ? JSON.parse(text) : undefined,
        });
      } catch (error) {
        reject(error);
      }
    });
    request.end(body);
  });
}

export function sha256(content: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

export function sha512(content: string | Uint8Array): string {
  return `sha512:${createHash('sha512').update(content).digest('hex')}`;
}

/** In one request. @returns its digest */
export async function pushBlob(url: string, name: string, content: string | Uint8Array): Promise<string> {
  const digest = sha256(content);
  const { status, text } = await ask(url, 'POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: content });
  if (status !== 201) throw new Error(`${status} ${text}`);
  return digest;
}

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX = 'application/vnd.oci.image.index.v1+json';

export function manifestOf(config: string, layers: string[], more: object = {}): string {
  const descriptor = (mediaType: string, content: string) => ({
    mediaType,
    digest: sha256(content),
    size: Buffer.byteLength(content),
  });
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar', layer)),
    ...more,
  });
}

export function putManifest(url: string, name: string, reference: string, body: string, type = MANIFEST) {
  return ask(url, 'PUT', `/v2/${name}/manifests/${reference}`, { headers: { 'content-type': type }, body });
}

/** A configuration, a layer and the manifest of both. @returns the manifest */
export async function pushImage(
  url: string,
  name: string,
  tag: string,
  layer = `layer of ${name}:${tag}`,
): Promise<string> {
  await pushBlob(url, name, '{}');
  await pushBlob(url, name, layer);
  const manifest = manifestOf('{}', [layer]);
  const { status, text } = await putManifest(url, name, tag, manifest);
  if (status !== 201) throw new Error(`${status} ${text}`);
  return manifest;
}
