export { examine, type DoctorLimits, type Examination } from './doctor';
export {
  CHECKS,
  type BetterSettings,
  type CheckName,
  type DoctorEvent,
  type Finding,
  type Verdict,
} from './finding';
