export * from '#membership';
