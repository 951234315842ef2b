/** Bundles the page's scripts into dist/ and returns their sizes in bytes. */
export declare function buildPage(): Promise<{ readonly flat: number; readonly deep: number }>;
