export { DirDestination } from "./dir-destination.js";
export { DirSource } from "./dir-source.js";
export { DockerArchiveDestination } from "./docker-archive-destination.js";
export { DockerArchiveSource } from "./docker-archive-source.js";
export { LayoutDestination } from "./layout-destination.js";
export { LayoutSource } from "./layout-source.js";
export { OciArchiveDestination } from "./oci-archive-destination.js";
export { OciArchiveSource } from "./oci-archive-source.js";
