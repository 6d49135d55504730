namespace bench::cli {}
