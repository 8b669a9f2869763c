import { pruneContract } from '../../test/contract/cluster-history/prune-contract.ts';
import { openTestClusterHistory } from '../../test/fakes/cluster-history-in-test.ts';

pruneContract(openTestClusterHistory);
