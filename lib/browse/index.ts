/** Looking into an archive step by step: folders, objects, their maps, single records; each with few small requests. */
export { describeObjects, type DescribedObject, type Descriptions } from './describe';
export { type FolderPage, listFolder, partitionOfFolder } from './folder';
export {
  blocksOf,
  entriesOf,
  type MapBlock,
  type MapEntry,
  type MapPage,
  type MapSeries,
  type ObjectPlace,
  type Part,
  readMapPage,
  seriesOf,
} from './object-map';
export { type BrowsedRecord, readRecord } from './record';
