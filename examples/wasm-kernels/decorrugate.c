/* A custom step over the grid: takes stripes along columns (lines flown north-south) out of it.
 *
 * Each column's departure from the mean of its neighbours within `half` columns is a stripe where it
 * is below `most` nT; it is subtracted, so that broad anomalies stay as they are. Parameters:
 * 0 the half width in cells (default 3), 1 the largest stripe, nT (default 5).
 */
#include "quetzal.h"

static int half = 3;
static double most_nt = 5.0;

EXPORT("configure") int configure(const double *parameters, u32 count) {
  if (count > 2) return 1;
  if (count > 0) half = (int)parameters[0];
  if (count > 1) most_nt = parameters[1];
  return half >= 1 && half <= 1000 && most_nt > 0.0 ? 0 : 2;
}

/* The mean of a column over what is not NaN; NaN where nothing is. */
static double column_mean(const double *grid, u32 rows, u32 columns, u32 column) {
  double sum = 0.0;
  u32 known = 0;
  for (u32 row = 0; row < rows; row++) {
    double value = grid[row * columns + column];
    if (!missing(value)) sum += value, known++;
  }
  return known ? sum / known : __builtin_nan("");
}

EXPORT("grid") int grid(double *values, u32 rows, u32 columns, double cell_m) {
  (void)cell_m;
  double *means = alloc(columns * sizeof(double));
  if (!means) return 3; /* no memory */
  for (u32 c = 0; c < columns; c++) means[c] = column_mean(values, rows, columns, c);
  for (u32 c = 0; c < columns; c++) {
    double sum = 0.0;
    u32 known = 0;
    for (int k = -half; k <= half; k++) {
      int other = (int)c + k;
      if (k == 0 || other < 0 || other >= (int)columns || missing(means[other])) continue;
      sum += means[other], known++;
    }
    if (!known || missing(means[c])) continue;
    double stripe = means[c] - sum / known;
    if (stripe > most_nt || stripe < -most_nt) continue;
    for (u32 row = 0; row < rows; row++) values[row * columns + c] -= stripe; /* NaN stays NaN */
  }
  return 0;
}
