import { containerLogsContract } from '../../test/contract/cluster-history/container-logs-contract.ts';
import { openTestClusterHistory } from '../../test/fakes/cluster-history-in-test.ts';

containerLogsContract(openTestClusterHistory);
