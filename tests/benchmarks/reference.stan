// The reference problem of sixty.py in Stan, from dose to dose. `method` 1: rk45, 2: adjoint BDF,
// 3: BDF. `forward` 1: no density, levels and lesions of the whole grid instead.
functions {
  vector rates(real t, vector x, vector p) {
    real level = x[2] / p[2];
    real occupied = level / (level + p[8]);
    real exchanged = p[3] * (level - x[3] / p[4]);
    return [
      -p[5] * x[1],
      p[5] * x[1] - p[1] * level - exchanged - p[6] * level / (p[7] + level),
      exchanged,
      0.02 + 0.08 * x[5] * (1 - occupied) - (0.1 + p[9] * occupied) * x[4],
      p[11] * x[4] - 0.01 * x[5],
      0.05 * (1 + 0.5 * occupied) - 0.05 * x[6],
      0.05 * x[4] / x[6] - p[10] * x[7]
    ]';
  }
  array[] vector solved(int method, vector x, real start, data array[] real times, vector p,
                        data real relative, data real absolute) {
    if (method == 1)
      return ode_rk45_tol(rates, x, start, times, relative, absolute, 100000, p);
    if (method == 3)
      return ode_bdf_tol(rates, x, start, times, relative, absolute, 100000, p);
    return ode_adjoint_tol_ctl(rates, x, start, times, relative, rep_vector(absolute, 7),
      10 * relative, rep_vector(100 * absolute, 7), relative, absolute, 100000, 250, 2, 2, 2, p);
  }
  array[] vector course(int method, vector p, real dose, data array[] real given,
                        data array[] int first, data array[] int last, data array[] real times,
                        data real relative, data real absolute) {
    array[size(times)] vector[7] found;
    vector[7] x = [0, 0, 0, 1, 0.8, 1, 1]';
    for (k in 1:size(given)) {
      x[1] += dose;
      found[first[k]:last[k]] = solved(method, x, given[k], times[first[k]:last[k]], p,
                                       relative, absolute);
      x = found[last[k]];
    }
    return found;
  }
  vector individual(vector pop, vector omega, vector eta) {
    array[7] int varying = {1, 2, 5, 6, 8, 9, 10};
    vector[11] p = pop;
    p[varying] = p[varying] .* exp(omega .* eta);
    return p;
  }
}
data {
  int method;
  int forward;
  real relative;
  real absolute;
  int subjects;
  int doses;
  int grid;
  array[doses] real given;   // days, the same for all subjects
  array[doses] int first;    // rows of the grid after a dose ...
  array[doses] int last;     // ... up to the next one
  array[grid] real times;
  real amount;
  int levels;
  int scores;
  array[levels] int level_row;
  array[scores] int score_row;
  matrix[levels, subjects] level;
  matrix[scores, subjects] score;
  vector[11] medians;
}
parameters {
  vector<lower=0>[11] pop;
  vector<lower=0>[7] omega;
  real<lower=0> sigma_pk;
  real<lower=0> sigma_pd;
  matrix[7, subjects] eta;
}
model {
  target += lognormal_lpdf(pop | log(medians), 0.5);
  target += normal_lpdf(omega | 0, 0.5) + 7 * log(2);
  target += normal_lpdf(sigma_pk | 0, 0.5) + log(2);
  target += normal_lpdf(sigma_pd | 0, 0.2) + log(2);
  target += std_normal_lpdf(to_vector(eta));
  if (forward == 0)
    for (i in 1:subjects) {
      vector[11] p = individual(pop, omega, eta[, i]);
      array[grid] vector[7] found
        = course(method, p, 0.7 * amount, given, first, last, times, relative, absolute);
      vector[levels] central;
      vector[scores] lesions;
      for (k in 1:levels) central[k] = found[level_row[k]][2] / p[2];
      for (k in 1:scores) lesions[k] = found[score_row[k]][7];
      target += lognormal_lpdf(level[, i] | log(central), sigma_pk);
      target += normal_lpdf(score[, i] | lesions, sigma_pd);
    }
}
generated quantities {
  array[forward * subjects] matrix[2, grid] shown;
  for (i in 1:(forward * subjects)) {
    vector[11] p = individual(pop, omega, eta[, i]);
    array[grid] vector[7] found
      = course(method, p, 0.7 * amount, given, first, last, times, relative, absolute);
    for (k in 1:grid) shown[i, , k] = [found[k][2] / p[2], found[k][7]]';
  }
}
