// Every function of the lab rootfs, and none of them does anything.
const nothing = () => {};
export const isolateMounts = nothing;
export const mountAll = nothing;
export const createDevices = nothing;
export const pivotRoot = nothing;
export const protectPaths = nothing;
