export function parseNamespaceLink(link) {
  return { name: link
}
