/**
 * Scores of LTI Advantage, Assignment and Grade Services 2.0: a line item for each lab, and for each student the body to send
 * to its `scores` address. Sending needs a registered tool, so it is left to one.
 */

import type { LabReport } from '../report.ts';
import { type CourseLab, feedbackFor, finalPoints, rosterValue, type Student } from './course-class.ts';
import { type ClassExporter, jsonDocument } from './exporter.ts';

export const lti: ClassExporter = {
  name: 'lti',
  about: 'LTI 1.3 (AGS 2.0): line items and scores of a class, for a registered tool to send',
  extension: 'json',
  ofClass: ({ labs, students }) =>
    jsonDocument({
      lineItems: labs.map((lab) => ({
        label: lab.label,
        resourceId: lab.id,
        scoreMaximum: lab.maxPoints,
        scores: students.flatMap((student) => scoreOf(student, lab)),
      })),
    }),
};

function scoreOf(student: Student, { id, maxPoints }: CourseLab) {
  const lab = student.labs.get(id);
  const points = finalPoints(student, id);
  if (lab === undefined && points === undefined) return [];
  return [
    {
      userId: rosterValue(student, 'lti_user_id') || student.key,
      // Section 3.4.4: without a score, what is there stays as it is.
      ...(points === undefined ? {} : { scoreGiven: points, scoreMaximum: maxPoints }),
      comment: feedbackFor(student, id),
      timestamp: new Date(student.gradedAt).toISOString(),
      activityProgress: 'Completed',
      gradingProgress: points === undefined ? unfinished(lab) : 'FullyGraded',
    },
  ];
}

/** Section 3.4.8. `Failed`: grading could not complete. `PendingManual`: a person has to act. */
function unfinished(lab: LabReport | undefined): 'Failed' | 'PendingManual' {
  const outcomes = (lab?.tasks ?? []).flatMap(({ tests }) => tests.map(({ outcome }) => outcome));
  return outcomes.includes('error') ? 'Failed' : 'PendingManual';
}
