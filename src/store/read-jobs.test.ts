import { readJobsContract } from '../../test/contract/cluster-history/read-jobs-contract.ts';
import { openTestClusterHistory } from '../../test/fakes/cluster-history-in-test.ts';

readJobsContract(openTestClusterHistory);
