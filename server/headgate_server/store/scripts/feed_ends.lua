-- Read the length and the oldest entry of the feed, in one moment.
-- @keys feed
-- @returns length oldest

return {redis.call('XLEN', feed), redis.call('XRANGE', feed, '-', '+', 'COUNT', 1)}
