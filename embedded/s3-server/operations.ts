import {
  createBucket,
  deleteBucket,
  getBucketLocation,
  headBucket,
  listBuckets,
  listObjects,
  listObjectsV2,
} from './buckets';
import { S3Error } from './errors';
import { deleteObject, deleteObjects, getObject, putObject } from './objects';
import type { Context, Reply } from './reply';
import type { Operation } from './request';
import { abortMultipartUpload, completeMultipartUpload, createMultipartUpload, uploadPart } from './uploads';

const OPERATIONS: Record<Operation, (context: Context) => Reply | Promise<Reply>> = {
  ListBuckets: listBuckets,
  CreateBucket: createBucket,
  HeadBucket: headBucket,
  DeleteBucket: deleteBucket,
  GetBucketLocation: getBucketLocation,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  DeleteObjects: deleteObjects,
  PutObject: putObject,
  GetObject: getObject,
  HeadObject: getObject,
  DeleteObject: deleteObject,
  CreateMultipartUpload: createMultipartUpload,
  UploadPart: uploadPart,
  CompleteMultipartUpload: completeMultipartUpload,
  AbortMultipartUpload: abortMultipartUpload,
  Unknown: () => {
    throw new S3Error(
      'NotImplemented',
      'A header or parameter you provided implies functionality that is not implemented',
    );
  },
};

/** Does what a request asks for. A request about a bucket that does not exist fails before anything else. */
export async function operate(context: Context): Promise<Reply> {
  const { operation, bucket } = context.request;
  if (bucket !== '' && operation !== 'CreateBucket' && operation !== 'Unknown')
    context.storage.bucket(bucket);
  return OPERATIONS[operation](context);
}
