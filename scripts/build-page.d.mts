/** Bundles the page's script into dist/ and returns its size in bytes. */
export declare function buildPage(): Promise<number>;
