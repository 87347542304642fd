export * from '../../solutions/00-what-is-a-container/membership.ts';
