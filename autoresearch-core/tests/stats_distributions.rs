//! The distributions against 20-digit reference values computed with mpmath 1.4 at 60 digits.
#![allow(clippy::excessive_precision, reason = "the reference values keep their digits")]

use autoresearch_core::stats::{
    normal_cdf, normal_ln_cdf, normal_quantile, normal_sf, student_cdf, student_ln_cdf, student_ln_sf,
    student_quantile, student_sf,
};

fn close(what: &str, got: f64, expected: f64) {
    let error = (got - expected).abs() / expected.abs();
    assert!(error < 1e-12, "{what}: {got} instead of {expected} (relative error {error:.1e})");
}

#[test]
fn student_tails() {
    // t, df, P(T > t), its logarithm
    let table = [
        (40.0, 3.0, 0.000017190340394579264142, -10.971162936870326005),
        (0.001, 3.0, 0.499632447484730469, -0.693882555912672252),
        (0.5, 1.0, 0.35241638234956672582, -1.0429418980620317451),
        (1.0, 2.0, 0.21132486540518711775, -1.5543586830764358547),
        (1.7, 2.5, 0.10280610857994192684, -2.2749105057426175828),
        (2.2, 7.0, 0.031865507651318396744, -3.4462311190288510983),
        (3.5, 6.287608164944389, 0.005942778768458322298, -5.1255784488569967284),
        (6.0, 31.0, 6.135480976433499296e-7, -14.304007177101801171),
        (12.0, 8.0, 1.0719333738443855753e-6, -13.746046648511699426),
        (40.0, 40.0, 3.5204052873892460893e-34, -77.029317040352617597),
        (100.0, 24.0, 2.8628889601768412653e-33, -74.933476827869689035),
        (1e5, 4.0, 2.999999998000000001e-20, -44.953089571879470656),
        (1e8, 1.5, 3.7708524320162460485e-13, -28.606305123733398004),
        (1.5, 100.0, 0.068382529062344428399, -2.6826379100447990577),
        (4.0, 1000.0, 0.000034004959604390788799, -10.289004173268835155),
        (8.0, 1000.0, 1.7133307411957371987e-15, -34.000337117033641632),
        (5.0, 99999.0, 2.8713508877053579699e-7, -15.063313039347529887),
        (5.0, 200000.0, 2.8689324583921393157e-7, -15.064155656100221656),
        (30.0, 200000.0, 1.3495022110932609091e-197, -453.30952752789872509),
        (2.0, 1e7, 0.02275014544592147664, -3.7831837403782965659),
        (1e-9, 5.0, 0.49999999962039331018, -0.69314718131915868935),
        (0.3, 0.4, 0.42790475430174650028, -0.84885464484346334908),
    ];
    for (t, df, tail, ln_tail) in table {
        let what = format!("t = {t}, df = {df}");
        close(&what, student_sf(t, df), tail);
        close(&what, student_cdf(-t, df), tail);
        close(&what, student_cdf(t, df), 1.0 - tail);
        close(&what, student_ln_sf(t, df), ln_tail);
        close(&what, student_ln_cdf(-t, df), ln_tail);
        close(&what, student_ln_cdf(t, df), (-tail).ln_1p());
    }
    close("far tail", student_ln_sf(700.0, 300000.0), -145244.5565172368891);
}

#[test]
fn student_quantiles() {
    let table = [
        (0.25, 1.0, -1.0),
        (0.025, 3.0, -3.1824463052837095204),
        (0.005, 7.0, -3.4994832973503939046),
        (0.4, 2.5, -0.28145951274854759175),
        (1e-10, 4.0, -416.17514032960412353),
        (1e-30, 2.0, -707106781186547.49494),
        (1e-6, 1000.0, -4.7816086204583505741),
        (0.025, 1e6, -1.9599663568141070115),
        (0.1, 0.5, -10.270324410234505006),
    ];
    for (p, df, t) in table {
        close(&format!("p = {p}, df = {df}"), student_quantile(p, df), t);
    }
    close("upper", student_quantile(0.975, 3.0), 3.1824463052837095204);
}

#[test]
fn normal_tails() {
    // z, P(Z > z), its logarithm
    let table = [
        (0.1, 0.46017216272297101633, -0.77615459273027332557),
        (1.0, 0.15865525393145705141, -1.8410216450092635058),
        (1.99, 0.023295467750211822401, -3.759496454489689158),
        (2.01, 0.022215594429431486043, -3.8069607849314810841),
        (2.5, 0.006209665325776135167, -5.0816482772786904984),
        (3.99, 0.000033036647629402415814, -10.317893078460454303),
        (4.01, 0.000030359373926618219758, -10.402405227302365447),
        (1.96, 0.024997895148220436213, -3.6889636517296386186),
        (3.2, 0.00068713793791584803162, -7.2829755029036313263),
        (4.99, 3.0189646252084843495e-7, -15.01318171768932103),
        (5.01, 2.7215017728558193867e-7, -15.116911800640428857),
        (8.0, 6.2209605742717841235e-16, -35.013437159914549896),
        (12.5, 3.7325642988777133772e-36, -81.575967870743883217),
        (20.0, 2.7536241186062336951e-89, -203.91715537109726394),
        (37.0, 5.7255712225245768227e-300, -689.0305855768905936),
    ];
    for (z, tail, ln_tail) in table {
        let what = format!("z = {z}");
        close(&what, normal_sf(z), tail);
        close(&what, normal_cdf(-z), tail);
        close(&what, normal_cdf(z), 1.0 - tail);
        close(&what, normal_ln_cdf(-z), ln_tail);
        close(&what, normal_ln_cdf(z), (-tail).ln_1p());
    }
    close("z = -100", normal_ln_cdf(-100.0), -5005.5242086942050886);
    close("z = -10000", normal_ln_cdf(-1e4), -50000010.129278915181);
}

#[test]
fn normal_quantiles() {
    let table = [
        (0.49, -0.025068908258711058033),
        (0.3, -0.52440051270804081597),
        (0.025, -1.9599639845400542118),
        (1e-3, -3.0902323061678135354),
        (1e-8, -5.6120012441747887279),
        (1e-15, -7.9413453261709967713),
        (1e-100, -21.273453560965324294),
        (1e-300, -37.047096299361199237),
    ];
    for (p, z) in table {
        close(&format!("p = {p}"), normal_quantile(p), z);
    }
    close("upper", normal_quantile(0.7), 0.52440051270804081597);
}

#[test]
fn the_ends_and_what_is_out_of_range() {
    assert_eq!(student_cdf(f64::NEG_INFINITY, 3.0), 0.0);
    assert_eq!(student_cdf(f64::INFINITY, 3.0), 1.0);
    assert_eq!(student_cdf(0.0, 3.0), 0.5);
    assert_eq!(student_ln_sf(f64::INFINITY, 3.0), f64::NEG_INFINITY);
    assert_eq!(student_sf(1.0, f64::INFINITY), normal_sf(1.0));
    assert_eq!(student_ln_cdf(f64::MAX, 3.0), 0.0);
    assert!(student_ln_cdf(-f64::MAX, 3.0).is_finite());
    assert!(student_ln_cdf(-f64::MAX, 0.5).is_finite());
    for df in [0.0, -1.0, f64::NAN] {
        assert!(student_cdf(1.0, df).is_nan() && student_quantile(0.3, df).is_nan());
        assert!(student_cdf(-1.0, df).is_nan() && student_ln_cdf(1.0, df).is_nan());
    }
    assert!(student_cdf(f64::NAN, 3.0).is_nan() && student_ln_cdf(f64::NAN, 3.0).is_nan());
    for p in [-0.1, 1.1, f64::NAN] {
        assert!(student_quantile(p, 3.0).is_nan() && normal_quantile(p).is_nan());
    }
    for quantile in [normal_quantile as fn(f64) -> f64, |p| student_quantile(p, 3.0)] {
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(quantile(1.0), f64::INFINITY);
        assert!(quantile(0.5).abs() < 1e-16);
    }
}
