# The remifentanil model by nlme, independent of the package: Rscript remifentanil.R
# Three compartments, the third the slower one in each subject, all six parameters log-normal
# (the ratio of the rates back logit-normal) and independent, constant error of the log.
library(nlme)
d <- as.data.frame(nlme::Remifentanil)
d <- d[order(d$ID, d$Time), ]
infusion <- do.call(rbind, lapply(split(d, d$ID), function(x) {
  on <- which(x$Rate > 0)
  stopifnot(length(unique(x$Rate[on])) == 1, all(diff(on) == 1))
  data.frame(from = x$Time[on[1]], to = x$Time[max(on) + 1], rate = x$Rate[on[1]])
}))
seen <- d[!is.na(d$conc), c("ID", "Time", "conc")]
seen$ID <- factor(seen$ID)
seen$row <- seq_len(nrow(seen))
given <- infusion[as.character(seen$ID), ]
stopifnot(nrow(seen) == 1992, nrow(infusion) == 65)

rates <- function(a, b, c) {  # roots of x^3 - a x^2 + b x - c, all positive; the least by their product
  p <- a^2 / 3 - b
  q <- 2 * a^3 / 27 - a * b / 3 + c
  third <- acos(pmin(1, pmax(-1, 3 * q / (2 * p * sqrt(p / 3))))) / 3
  at <- function(k) a / 3 + 2 * sqrt(p / 3) * cos(third - 2 * pi * k / 3)
  middle <- pmax(at(1), at(2))
  cbind(at(0), middle, c / (at(0) * middle))
}

level <- function(row, p) {  # log concentration
  q2 <- exp(p$lq2); v1 <- exp(p$lv1); q3 <- exp(p$lq3)
  k10 <- exp(p$lcl) / v1; k12 <- q2 / v1; k13 <- q3 / v1
  k21 <- q2 / exp(p$lv2); k31 <- k21 * plogis(p$lslow)
  x <- rates(k10 + k12 + k13 + k21 + k31,
             k10 * k21 + k10 * k31 + k12 * k31 + k13 * k21 + k21 * k31, k10 * k21 * k31)
  since <- pmax(seen$Time[row] - given$from[row], 0)
  after <- pmax(seen$Time[row] - given$to[row], 0)
  total <- 0
  for (i in 1:3) {
    rest <- x[, -i, drop = FALSE]
    weight <- (k21 - x[, i]) * (k31 - x[, i]) / ((rest[, 1] - x[, i]) * (rest[, 2] - x[, i]))
    total <- total + weight / x[, i] * (exp(-x[, i] * after) - exp(-x[, i] * since))
  }
  log(pmax(given$rate[row] * total / v1, 1e-12))
}

NAMES <- c("lcl", "lv1", "lq2", "lv2", "lq3", "lslow")
flog <- function(row, lcl, lv1, lq2, lv2, lq3, lslow) {  # with its gradient, central differences
  p <- list(lcl = lcl, lv1 = lv1, lq2 = lq2, lv2 = lv2, lq3 = lq3, lslow = lslow)
  slope <- function(name) {
    up <- p; up[[name]] <- up[[name]] + 1e-5
    down <- p; down[[name]] <- down[[name]] - 1e-5
    (level(row, up) - level(row, down)) / 2e-5
  }
  value <- level(row, p)
  attr(value, "gradient") <- vapply(NAMES, slope, numeric(length(row)))
  value
}

start <- c(lcl = log(2.4), lv1 = log(4.5), lq2 = log(1.5), lv2 = log(7.9), lq3 = log(0.14),
           lslow = qlogis((0.14 / 4.7) / (1.5 / 7.9)))
every <- lcl + lv1 + lq2 + lv2 + lq3 + lslow ~ 1
m <- nlme(log(conc) ~ flog(row, lcl, lv1, lq2, lv2, lq3, lslow), data = seen, fixed = every,
          random = list(ID = pdDiag(diag(0.09, 6), form = every)), start = start, method = "ML",
          control = nlmeControl(opt = "nlminb", pnlsTol = 1e-3, msMaxIter = 200, maxIter = 100,
                                pnlsMaxIter = 20))
fixed <- fixef(m)
slow <- plogis(fixed[["lslow"]])
to <- rbind(diag(6)[1:5, ], c(0, 0, -1, 1, 1, -(1 - slow)))  # the last: log v3
found <- c(fixed[1:5], fixed[["lq3"]] + fixed[["lv2"]] - log(slow) - fixed[["lq2"]])
error <- sqrt(diag(to %*% vcov(m) %*% t(to)))
print(data.frame(median = exp(found), se_of_log = error,
                 row.names = c("cl", "v1", "q2", "v2", "q3", "v3")), digits = 4)
print(VarCorr(m))
cat("log-likelihood", logLik(m), "with nlme", as.character(packageVersion("nlme")), "\n")
