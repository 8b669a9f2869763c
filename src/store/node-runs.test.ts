import { nodeRunsContract } from '../../test/contract/cluster-history/node-runs-contract.ts';
import { openTestClusterHistory } from '../../test/fakes/cluster-history-in-test.ts';

nodeRunsContract(openTestClusterHistory);
