/** Style sheets are collected by esbuild into one file beside the bundle. */
declare module "*.css";
