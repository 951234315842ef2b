// gifenc brings no types: encode-gif.ts names the part that it uses.
declare module "gifenc" {
  const loaded: unknown;
  export default loaded;
}
