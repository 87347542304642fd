import { inUserNamespace } from '#kernel/user-namespace';
import { hasNft } from '../../network/nft.ts';
import { hostCapabilities } from '../capabilities.ts';

/** Why this engine makes no networks of bridges, in a sentence that says the way out; null if it does. */
export function whyNoBridges(): string | null {
  if (inUserNamespace())
    return 'Networks of bridges and published ports need root. Containers of an ordinary user have slirp4netns, pasta, none or host.';
  if (!hostCapabilities().includes('CAP_NET_ADMIN'))
    return 'Networks of bridges need the capability CAP_NET_ADMIN, which this daemon was started without. Containers have --network none or host.';
  if (!hasNft())
    return 'Networks of bridges and published ports need the program nft, which is not installed. Install the package nftables and start the daemon again. Until then containers have --network none or host.';
  return null;
}
