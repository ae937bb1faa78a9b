//! Counts natively: MB/s a corpus.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tollgate_tokens::Encoding;
use tollgate_tokens_bench::corpora;

fn counts(criterion: &mut Criterion) {
    for (name, encoding) in [("o200k_base", Encoding::O200k), ("cl100k_base", Encoding::Cl100k)] {
        let mut group = criterion.benchmark_group(name);
        for corpus in corpora::all() {
            let bytes: usize = corpus.slices.iter().map(String::len).sum();
            group.throughput(Throughput::BytesDecimal(bytes as u64));
            group.bench_function(corpus.name, |bencher| {
                bencher.iter(|| {
                    corpus
                        .slices
                        .iter()
                        .map(|slice| encoding.count(slice))
                        .sum::<u64>()
                });
            });
        }
    }
}

criterion_group!(benches, counts);
criterion_main!(benches);
