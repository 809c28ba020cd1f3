/* A custom step over columns: single readings that stand out of both neighbours are replaced.
 *
 * Column 0 is the reading; column 1, where there is one, is the line: neighbours on another line do
 * not count. Parameter 0 is the least step, nT, that makes a spike (default 50).
 */
#include "quetzal.h"

static double least_nt = 50.0;

EXPORT("configure") int configure(const double *parameters, u32 count) {
  if (count > 1) return 1; /* too many */
  if (count == 1) least_nt = parameters[0];
  return least_nt > 0.0 ? 0 : 2; /* not positive */
}

static int stands_out(double before, double here, double after) {
  double up = here - before, down = here - after;
  return (up > least_nt && down > least_nt) || (up < -least_nt && down < -least_nt);
}

EXPORT("columns") int columns(double *values, u32 rows, u32 count) {
  double *line = count > 1 ? values + rows : 0;
  for (u32 i = 1; i + 1 < rows; i++) {
    if (line && (line[i - 1] != line[i] || line[i] != line[i + 1])) continue;
    if (missing(values[i - 1]) || missing(values[i]) || missing(values[i + 1])) continue;
    if (stands_out(values[i - 1], values[i], values[i + 1]))
      values[i] = 0.5 * (values[i - 1] + values[i + 1]);
  }
  return 0;
}
