import { USUAL_DATABASE_REPOSITORY } from '../api/eraser-config/trivy-config.ts';
import { judgeConfiguration } from './judge-configuration.ts';

/** The mirror of the vulnerability database that a configuration names (`dbRepo`); null: none, or one that nobody can read. */
export function databaseRepositoryOf(configuration: string): string | null {
  const judged = judgeConfiguration(configuration);
  if (!judged.ok) return null;
  const { config } = judged.accepted.config.components.scanner;
  if (config.kind !== 'trivy' || config.dbRepo === USUAL_DATABASE_REPOSITORY) return null;
  return config.dbRepo;
}
