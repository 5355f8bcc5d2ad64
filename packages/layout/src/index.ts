export { LayoutDestination } from "./layout-destination.js";
export { LayoutSource } from "./layout-source.js";
